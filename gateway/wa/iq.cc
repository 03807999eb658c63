#include "gateway/wa/iq.h"

#include <utility>
#include <vector>

namespace medidesk::gateway::wa {
namespace {

constexpr char kCodePayload[] = "medidesk/iq-error-code";

absl::StatusCode StatusCodeOf(std::uint64_t code) {
  switch (code) {
    case 404:
      return absl::StatusCode::kNotFound;
    case 401:
    case 403:
    case 405:
      return absl::StatusCode::kPermissionDenied;
    case 419:
    case 429:
      return absl::StatusCode::kResourceExhausted;
    default:
      return code >= 500 && code <= 599 ? absl::StatusCode::kUnavailable : absl::StatusCode::kFailedPrecondition;
  }
}

}  // namespace

Node ServerIq(std::string_view id, std::string_view type, std::string_view xmlns, Node child) {
  return {"iq", {{"id", id}, {"to", Jid::Server()}, {"type", type}, {"xmlns", xmlns}}, Nodes{std::move(child)}};
}

absl::Status IqStatus(const Node& answer) {
  if (answer.Attr("type") != "error") return absl::OkStatus();
  const Node* error = answer.Child("error");
  std::uint64_t code = error == nullptr ? 0 : error->AttrNumber("code").value_or(0);
  if (code > 999) code = 0;
  absl::Status status = Error(StatusCodeOf(code), "the server refused a request with code " + std::to_string(code));
  status.SetPayload(kCodePayload, absl::Cord(std::to_string(code)));
  return status;
}

int IqErrorCode(const absl::Status& status) {
  const auto payload = status.GetPayload(kCodePayload);
  return payload ? std::stoi(std::string(*payload)) : 0;
}

bool IqTracker::OnAnswer(const Node& node) {
  const std::string_view type = node.Attr("type");
  if (node.tag != "iq" || (type != "result" && type != "error")) return false;
  const auto found = pending_.find(node.Attr("id"));
  if (found == pending_.end()) return false;
  const auto done = std::move(found->second.done);
  pending_.erase(found);
  done(&node);
  return true;
}

void IqTracker::OnTime(Time now) {
  std::vector<Pending> late;
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    late.push_back(std::move(it->second));
    it = pending_.erase(it);
  }
  for (const Pending& pending : late) {
    pending.done(Error(absl::StatusCode::kDeadlineExceeded, "the server did not answer a request in time"));
  }
}

void IqTracker::FailAll(const absl::Status& status) {
  const auto pending = std::exchange(pending_, {});
  for (const auto& [id, request] : pending) request.done(status);
}

std::optional<Time> IqTracker::next_deadline() const {
  std::optional<Time> next;
  for (const auto& [id, request] : pending_) {
    if (!next || request.deadline < *next) next = request.deadline;
  }
  return next;
}

}  // namespace medidesk::gateway::wa
