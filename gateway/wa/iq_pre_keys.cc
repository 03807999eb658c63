#include "gateway/wa/iq_pre_keys.h"

#include <utility>

#include "gateway/wa/big_endian.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxListedKeys = 4096;

template <std::size_t kSize>
Node Leaf(std::string_view tag, const std::array<std::uint8_t, kSize>& bytes) {
  return {std::string(tag), {}, Bytes(bytes.begin(), bytes.end())};
}

Node SignedKeyNode(const SignedPreKey& key) {
  return {"skey",
          {},
          Nodes{Leaf("id", BigEndian24(key.id)), Leaf("value", key.pair.public_key), Leaf("signature", key.signature)}};
}

ByteView ChildBytes(const Node& node, std::string_view tag) {
  const Node* child = node.Child(tag);
  return child == nullptr ? ByteView() : child->ContentBytes();
}

}  // namespace

Node PreKeyCountRequest::Build(std::string_view id) const {
  return ServerIq(id, "get", "encrypt", Node{"count", {}, {}});
}

absl::StatusOr<std::uint64_t> PreKeyCountRequest::Parse(const Node& answer) {
  const Node* count = answer.Child("count");
  return count == nullptr ? 0 : count->AttrNumber("value").value_or(0);
}

Node PreKeyUploadRequest::Build(std::string_view id) const {
  Nodes keys;
  keys.reserve(pre_keys.size());
  for (const PreKey& key : pre_keys) {
    keys.push_back({"key", {}, Nodes{Leaf("id", BigEndian24(key.id)), Leaf("value", key.pair.public_key)}});
  }
  Node iq = ServerIq(id, "set", "encrypt", Leaf("registration", BigEndian32(registration_id)));
  Nodes& children = std::get<Nodes>(iq.content);
  children.push_back({"type", {}, Bytes{kKeyType}});
  children.push_back(Leaf("identity", identity));
  children.push_back({"list", {}, std::move(keys)});
  children.push_back(SignedKeyNode(signed_pre_key));
  return iq;
}

Node PreKeyDigestRequest::Build(std::string_view id) const {
  return ServerIq(id, "get", "encrypt", Node{"digest", {}, {}});
}

absl::StatusOr<PreKeyDigestRequest::Response> PreKeyDigestRequest::Parse(const Node& answer) {
  const Node* digest = answer.Child("digest");
  if (digest == nullptr) return Error(absl::StatusCode::kInvalidArgument, "the server's digest of keys is missing");
  Response response{.registration_id = FromBigEndian(ChildBytes(*digest, "registration")),
                    .identity = ToBytes(ChildBytes(*digest, "identity")),
                    .signed_pre_key_id = 0,
                    .pre_key_ids = {}};
  if (const Node* key = digest->Child("skey")) response.signed_pre_key_id = FromBigEndian(ChildBytes(*key, "id"));
  if (const Node* list = digest->Child("list")) {
    for (const Node& key : list->Children().first(std::min(list->Children().size(), kMaxListedKeys))) {
      response.pre_key_ids.push_back(FromBigEndian(key.ContentBytes()));
    }
  }
  return response;
}

Node SignedPreKeyRotateRequest::Build(std::string_view id) const {
  return ServerIq(id, "set", "encrypt", Node{"rotate", {}, Nodes{SignedKeyNode(signed_pre_key)}});
}

}  // namespace medidesk::gateway::wa
