#include "gateway/wa/login.h"

#include <algorithm>
#include <utility>

#include "gateway/wa/iq_account.h"
#include "gateway/wa/iq_pre_keys.h"

namespace medidesk::gateway::wa {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kMaxServerTime = 32'503'680'000;  // the year 3000
constexpr std::size_t kMaxRoutingInfo = 1024;             // bytes
constexpr std::int64_t kWeekMs = 604'800'000;
constexpr std::int64_t kThreeDaysMs = 259'200'000;
constexpr std::size_t kMaxDirty = 16;

std::int64_t UnixMillis(WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

void Login::Reset() {
  stage_ = Stage::kOffline;
  stock_.Reset();
  catch_up_by_.reset();
  low_count_.reset();
}

void Login::OnServerTime(std::uint64_t unix_seconds) {
  if (unix_seconds == 0 || unix_seconds > kMaxServerTime) return;
  server_offset_ = milliseconds(static_cast<std::int64_t>(unix_seconds) * 1000 - UnixMillis(host_.now().wall));
}

void Login::OnSuccess(const Node& success) {
  if (stage_ != Stage::kOffline) return;
  stage_ = Stage::kSyncing;
  OnServerTime(success.AttrNumber("t").value_or(0));
  if (const auto lid = success.AttrJid("lid");
      lid && lid->IsLid() && !lid->user.empty() && credentials_.account && credentials_.account->lid != *lid) {
    credentials_.account->lid = *lid;
    StoreCredentials();
  }
  host_.Emit(
      LoggedIn{.server_offset = server_offset_, .own_lid = credentials_.account ? credentials_.account->lid : Jid()});
  stock_.Check([this] { GoActive(); });
}

void Login::GoActive() {
  host_.Ask(
      ActiveRequest{},
      // Without an answer, go on: what the server delivers will tell.
      [this](const absl::StatusOr<ActiveRequest::Response>&) { OnActive(); }, kStepLimit);
}

void Login::OnActive() {
  if (stage_ != Stage::kSyncing) return;
  stage_ = Stage::kCatchingUp;
  catch_up_by_ = host_.now().steady + kCatchUpLimit;
  host_.Emit(StateChanged{.state = ConnectionState::kCatchingUp, .reason = ""});
  const std::int64_t id = (UnixMillis(host_.now().wall) + server_offset_.count() + kThreeDaysMs) % kWeekMs;
  host_.SendNode({"ib", {}, Nodes{{"unified_session", {{"id", std::to_string(id)}}, {}}}});
  AskForSettings();
  CheckDigest();
  SendPresence();
}

void Login::AskForSettings() {
  host_.Ask(ServerPropsRequest{}, [this](absl::StatusOr<ServerPropsRequest::Response> props) {
    if (props.ok()) host_.Emit(AccountSettings{.server_props = *std::move(props)});
  });
  host_.Ask(BlocklistRequest{}, [this](absl::StatusOr<BlocklistRequest::Response> blocked) {
    if (blocked.ok()) host_.Emit(AccountSettings{.blocked = *std::move(blocked)});
  });
  host_.Ask(PrivacyRequest{}, [this](absl::StatusOr<PrivacyRequest::Response> privacy) {
    if (privacy.ok()) host_.Emit(AccountSettings{.privacy = *std::move(privacy)});
  });
}

void Login::CheckDigest() {
  host_.Ask(PreKeyDigestRequest{}, [this](const absl::StatusOr<PreKeyDigestRequest::Response>& digest) {
    // The server has nothing of ours: nobody could write to us.
    if (IqErrorCode(digest.status()) == 404) stock_.OnServerCount(0);
  });
}

void Login::SendPresence() {
  std::string name = credentials_.push_name;
  if (name.empty() && credentials_.account) name = credentials_.account->business_name;
  std::erase(name, '@');
  if (presence_ == Presence::kNone || name.empty()) return;
  host_.SendNode(
      {"presence", {{"type", presence_ == Presence::kAvailable ? "available" : "unavailable"}, {"name", name}}, {}});
}

void Login::OnIb(const Node& ib) {
  std::size_t dirty = 0;
  for (const Node& child : ib.Children()) {
    if (child.tag == "offline_preview" && stage_ != Stage::kOffline) {
      host_.SendNode({"ib", {}, Nodes{{"offline_batch", {{"count", "100"}}, {}}}});
    } else if (child.tag == "offline") {
      CatchUp();
    } else if (child.tag == "dirty" && child.HasAttr("type") && ++dirty <= kMaxDirty) {
      host_.Ask(
          CleanDirtyRequest{.type = std::string(child.Attr("type")), .timestamp = std::string(child.Attr("timestamp"))},
          [](const auto&) {});
    } else if (child.tag == "edge_routing") {
      const Node* info = child.Child("routing_info");
      const Bytes bytes = info == nullptr ? Bytes() : ToBytes(info->ContentBytes());
      if (bytes.empty() || bytes.size() > kMaxRoutingInfo || bytes == settings_.routing_info) continue;
      settings_.routing_info = bytes;
      StoreSettings();
    }
  }
}

void Login::CatchUp() {
  if (stage_ != Stage::kCatchingUp) return;
  stage_ = Stage::kOpen;
  catch_up_by_.reset();
  host_.Emit(CaughtUp{});
  host_.Emit(StateChanged{.state = ConnectionState::kConnected, .reason = ""});
  if (const auto count = std::exchange(low_count_, std::nullopt)) stock_.OnServerCount(*count);
}

void Login::OnEncryptNotification(const Node& notification) {
  if (notification.Child("digest") != nullptr && stage_ == Stage::kOpen) CheckDigest();
  const Node* count = notification.Child("count");
  if (count == nullptr || notification.Attr("id") == last_low_id_) return;
  last_low_id_ = notification.Attr("id");
  const std::uint64_t left = count->AttrNumber("value").value_or(0);
  if (stage_ == Stage::kOpen) {
    stock_.OnServerCount(left);
  } else {
    low_count_ = left;
  }
}

void Login::OnTime() {
  if (catch_up_by_ && host_.now().steady >= *catch_up_by_) CatchUp();
  stock_.OnTime();
}

std::optional<Time> Login::next_time() const {
  const auto retry = stock_.next_time();
  if (!catch_up_by_) return retry;
  return retry ? std::min(*retry, *catch_up_by_) : catch_up_by_;
}

void Login::StoreCredentials() {
  host_.CommitThen({.puts = {{.name = {.kind = RecordKind::kCredentials, .key = std::string(kSelfKey)},
                              .value = credentials_.Serialize()}}},
                   std::nullopt, [](const absl::Status&) {});
}

void Login::StoreSettings() {
  host_.CommitThen({.puts = {{.name = {.kind = RecordKind::kSetting, .key = std::string(kSettingsKey)},
                              .value = settings_.Serialize()}}},
                   std::nullopt, [](const absl::Status&) {});
}

}  // namespace medidesk::gateway::wa
