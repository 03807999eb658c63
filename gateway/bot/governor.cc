#include "gateway/bot/governor.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <set>
#include <vector>

namespace medidesk::gateway::bot {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr hours kUnknownRestriction{1};  // when WhatsApp does not say how long
constexpr minutes kAfterRestriction{10};
constexpr int kWarmUp[][2] = {{3, 300}, {7, 800}, {14, 1'500}};  // days since linking, messages a day

std::int64_t DayOf(wa::WallTime time) {
  return std::chrono::duration_cast<hours>(time.time_since_epoch()).count() / 24;
}
std::int64_t Seconds(wa::WallTime time) { return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count(); }

template <class Queue>
void DropBefore(Queue& queue, wa::Time time) {
  if constexpr (requires { queue.front().first; }) {
    while (!queue.empty() && queue.front().first <= time) queue.pop_front();
  } else {
    while (!queue.empty() && queue.front() <= time) queue.pop_front();
  }
}

}  // namespace

Governor::Contact& Governor::ContactOf(const std::string& contact, wa::Time now) {
  if (contacts_.size() >= kMaxContacts && !contacts_.contains(contact)) {
    // A tenth at once, so that this is rare.
    std::vector<wa::Time> used;
    used.reserve(contacts_.size());
    for (const auto& [name, one] : contacts_) used.push_back(one.used);
    const auto tenth = used.begin() + static_cast<std::ptrdiff_t>(used.size() / 10);
    std::nth_element(used.begin(), tenth, used.end());
    std::erase_if(contacts_, [&](const auto& entry) { return entry.second.used <= *tenth; });
  }
  Contact& found = contacts_[contact];
  found.used = now;
  return found;
}

void Governor::OnReceived(const std::string& contact, wa::Moment now, wa::WallTime sent) {
  Contact& one = ContactOf(contact, now.steady);
  if (!one.received || sent > *one.received) one.received = sent;
  one.since_received = 0;
}

int Governor::DayLimit(wa::Moment now) const {
  int limit = limits_.per_day;
  if (linked_) {
    const auto days = (now.wall - *linked_) / hours(24) + 1;
    for (const auto& [day, most] : kWarmUp) {
      if (days <= day) {
        limit = std::min(limit, most);
        break;
      }
    }
  }
  return limit;
}

void Governor::Refill(wa::Time now, double rate) {
  if (!tokens_) tokens_ = limits_.burst;
  const double passed = std::chrono::duration<double>(now - filled_).count();
  if (filled_ != wa::Time{} && passed > 0) tokens_ = std::min<double>(limits_.burst, *tokens_ + passed * rate);
  filled_ = now;
}

Governor::Decision Governor::Ask(const std::string& contact, Origin origin, std::optional<wa::WallTime> last_received,
                                 wa::Moment now) {
  using Kind = Decision::Kind;
  if (!limits_.enabled || origin == Origin::kGate) return {};
  const SendState standing = state(now);
  if (standing == SendState::kHeld) return {.kind = Kind::kRefuse, .reason = "held"};
  Contact& one = ContactOf(contact, now.steady);
  if (one.blocked && *one.blocked > now.steady) return {.kind = Kind::kRefuse, .reason = "contact_blocked"};
  if (last_received && (!one.received || *last_received > *one.received)) one.received = last_received;
  // An answer belongs to a message that has just come, whatever we remember of it.
  if (origin != Origin::kBot || one.received) {
    if (!one.received || now.wall - *one.received > limits_.window)
      return {.kind = Kind::kRefuse, .reason = "window_closed"};
  }
  // What people write by hand is theirs to judge; the assistant does not go on unasked.
  if (origin == Origin::kBot && one.since_received >= limits_.per_inbound)
    return {.kind = Kind::kRefuse, .reason = "unanswered"};

  const auto wait = [&](wa::Time at) {
    return Decision{.kind = Kind::kWait, .at = std::max(at, now.steady + std::chrono::milliseconds(10))};
  };
  if (one.next > now.steady) return wait(one.next);
  DropBefore(one.sent, now.steady - hours(24));
  if (static_cast<int>(one.sent.size()) >= limits_.per_contact_day) return wait(one.sent.front() + hours(24));
  if (static_cast<int>(one.sent.size()) >= limits_.per_contact_hour) {
    const wa::Time first = one.sent[one.sent.size() - static_cast<std::size_t>(limits_.per_contact_hour)];
    if (first > now.steady - hours(1)) return wait(first + hours(1));
  }

  const double share = standing == SendState::kLimited ? 0.1 : halved_ ? 0.5 : 1.0;
  const auto most = [&](int limit) { return std::max(1, static_cast<int>(limit * share)); };
  const double rate = limits_.per_minute / 60.0 * share;
  Refill(now.steady, rate);
  if (*tokens_ < 1) {
    return wait(now.steady +
                std::chrono::duration_cast<wa::Time::duration>(std::chrono::duration<double>((1 - *tokens_) / rate)));
  }
  DropBefore(hour_, now.steady - hours(1));
  if (static_cast<int>(hour_.size()) >= most(limits_.per_hour)) return wait(hour_.front() + hours(1));
  if (DayOf(now.wall) == day_ && today_ >= most(DayLimit(now))) {
    return wait(now.steady + (wa::WallTime(hours(24 * (day_ + 1))) - now.wall));
  }
  DropBefore(minute_contacts_, now.steady - minutes(1));
  std::set<std::string_view> people;
  for (const auto& [time, who] : minute_contacts_) people.insert(who);
  if (!people.contains(contact) && static_cast<int>(people.size()) >= most(limits_.contacts_per_minute)) {
    return wait(minute_contacts_.front().first + minutes(1));
  }
  return {};
}

void Governor::OnSent(const std::string& contact, Origin origin, wa::Moment now) {
  Contact& one = ContactOf(contact, now.steady);
  if (origin == Origin::kBot) ++one.since_received;
  one.sent.push_back(now.steady);
  if (one.sent.size() > 1'000) one.sent.pop_front();
  const auto spread = limits_.max_gap - limits_.min_gap;
  const auto extra =
      spread.count() > 0 ? wa::RandomBelow(entropy_, static_cast<std::uint32_t>(spread.count()) + 1) : 0u;
  one.next = now.steady + limits_.min_gap + std::chrono::milliseconds(extra);
  Refill(now.steady, limits_.per_minute / 60.0);
  tokens_ = std::max(0.0, *tokens_ - 1);
  hour_.push_back(now.steady);
  DropBefore(hour_, now.steady - hours(1));
  minute_contacts_.emplace_back(now.steady, contact);
  DropBefore(minute_contacts_, now.steady - minutes(1));
  const std::int64_t day = DayOf(now.wall);
  today_ = day == day_ ? today_ + 1 : 1;
  day_ = day;
}

void Governor::OnRefused(const std::string& contact, wa::Moment now) {
  ++refused_;
  ContactOf(contact, now.steady).blocked = now.steady + limits_.contact_block;
  if (state(now) == SendState::kLimited) {
    state_ = SendState::kHeld;
    return;
  }
  DropBefore(refusals_, now.steady - minutes(10));
  const bool other =
      std::any_of(refusals_.begin(), refusals_.end(), [&](const auto& one) { return one.second != contact; });
  refusals_.emplace_back(now.steady, contact);
  if (other && state_ == SendState::kNormal) OnRestricted(true, std::nullopt, now);
}

void Governor::OnRestricted(bool active, std::optional<wa::WallTime> ends, wa::Moment now) {
  if (!active) {
    state_ = SendState::kNormal;
    state_end_.reset();
    refusals_.clear();
    return;
  }
  if (state_ == SendState::kNormal) state_ = SendState::kLimited;
  state_end_ = ends.value_or(now.wall + kUnknownRestriction) + kAfterRestriction;
}

void Governor::OnNewChatCap(std::string_view status, std::optional<wa::WallTime> ends, wa::Moment now) {
  halved_ = status == "SECOND_WARNING";
  if (status == "CAPPED") OnRestricted(true, ends, now);
}

SendState Governor::state(wa::Moment now) {
  if (state_ != SendState::kNormal && state_end_ && now.wall >= *state_end_) OnRestricted(false, std::nullopt, now);
  return state_;
}

std::string Governor::Save() const {
  return absl::StrCat("1 ", static_cast<int>(state_), " ", state_end_ ? Seconds(*state_end_) : 0, " ", day_, " ",
                      today_, " ", linked_ ? Seconds(*linked_) : 0, " ", halved_ ? 1 : 0);
}

void Governor::Restore(std::string_view saved) {
  std::array<std::int64_t, 7> numbers{};
  const std::vector<absl::string_view> words = absl::StrSplit(absl::string_view(saved.data(), saved.size()), ' ');
  if (words.size() != numbers.size()) return;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (!absl::SimpleAtoi(words[i], &numbers[i]) || numbers[i] < 0) return;
  }
  if (numbers[0] != 1 || numbers[1] < 1 || numbers[1] > 3) return;
  state_ = static_cast<SendState>(numbers[1]);
  if (numbers[2] != 0) state_end_ = wa::WallTime(seconds(numbers[2]));
  day_ = numbers[3];
  today_ = static_cast<int>(std::min<std::int64_t>(numbers[4], 1'000'000));
  if (numbers[5] != 0) linked_ = wa::WallTime(seconds(numbers[5]));
  halved_ = numbers[6] != 0;
}

}  // namespace medidesk::gateway::bot
