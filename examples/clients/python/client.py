"""Asks MediDesk over gRPC: client.py "a question" [phone]"""

import os
import sys
import time
import uuid

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "protos"))
messages, services = grpc.protos_and_services("medidesk/assistant/v1/assistant.proto")  # by grpcio-tools

ADDRESS = os.environ.get("MEDIDESK_ADDRESS", "127.0.0.1:7002")
TOKEN = os.environ.get("MEDIDESK_TOKEN")
CA = os.environ.get("MEDIDESK_CA")
METADATA = [("authorization", f"Bearer {TOKEN}")] if TOKEN else []
RETRY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED}


def connect():
    if not CA:
        return grpc.insecure_channel(ADDRESS)
    with open(CA, "rb") as file:
        return grpc.secure_channel(ADDRESS, grpc.ssl_channel_credentials(file.read()))


def inbound(phone, text):
    return messages.InboundText(phone=phone, text=text, message_id=str(uuid.uuid4()))


def reply(assistant, request):
    """One answer. The same message id makes a repetition harmless."""
    for attempt in (1, 2, 3):
        try:
            return assistant.Reply(request, timeout=25, metadata=METADATA)
        except grpc.RpcError as error:
            if attempt == 3 or error.code() not in RETRY:
                raise
            time.sleep(attempt)


def stream_reply(assistant, request, on_text):
    """The text as it is made; gives the result that was committed."""
    result = None
    for event in assistant.StreamReply(request, timeout=25, metadata=METADATA):
        if event.WhichOneof("event") == "text_delta":
            on_text(event.text_delta)
        else:
            result = event.result
    return result


def shown(answer):
    return answer.text if answer.HasField("text") else "(a person has taken over)"


def main():
    text = sys.argv[1] if len(sys.argv) > 1 else "What are your visiting hours?"
    phone = sys.argv[2] if len(sys.argv) > 2 else "+15550109999"
    with connect() as channel:
        assistant = services.AssistantServiceStub(channel)
        answer = reply(assistant, messages.ReplyRequest(inbound=inbound(phone, text)))
        print("Reply:", shown(answer))

        request = messages.StreamReplyRequest(inbound=inbound(phone, text))
        result = stream_reply(assistant, request, lambda part: print(part, end="", file=sys.stderr, flush=True))
        print(file=sys.stderr)
        print("StreamReply:", shown(result))


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
