#include "store/turn_rows.h"

#include <boost/json.hpp>

#include <charconv>
#include <utility>

namespace medidesk::store {
namespace {

namespace json = boost::json;

template <class Enum>
struct Word {
  Enum value;
  std::string_view text;
};

constexpr Word<v1::Route> kRoutes[] = {
    {v1::ROUTE_WHATSAPP, "wa"}, {v1::ROUTE_WEBHOOK, "webhook"}, {v1::ROUTE_RPC, "rpc"}};
constexpr Word<v1::ReplyOrigin> kOrigins[] = {{v1::REPLY_ORIGIN_BOT, "bot"},
                                              {v1::REPLY_ORIGIN_GATE, "gate"},
                                              {v1::REPLY_ORIGIN_STAFF, "staff"},
                                              {v1::REPLY_ORIGIN_SERVICE, "service"}};
constexpr Word<v1::FixedReplyKind> kFixedKinds[] = {{v1::FIXED_REPLY_KIND_EMERGENCY, "emergency"},
                                                    {v1::FIXED_REPLY_KIND_EMERGENCY_LITE, "emergency_lite"},
                                                    {v1::FIXED_REPLY_KIND_HUMAN_REQUEST, "human_request"},
                                                    {v1::FIXED_REPLY_KIND_OPT_OUT, "opt_out"},
                                                    {v1::FIXED_REPLY_KIND_THREAT, "threat"}};
constexpr Word<v1::ConversationStatus> kStatuses[] = {{v1::CONVERSATION_STATUS_ACTIVE, "active"},
                                                      {v1::CONVERSATION_STATUS_ARCHIVED, "archived"},
                                                      {v1::CONVERSATION_STATUS_HUMAN_TAKEOVER, "human_takeover"}};
constexpr Word<v1::TurnState> kTurnStates[] = {{v1::TURN_STATE_OPEN, "open"},
                                               {v1::TURN_STATE_SEALED, "sealed"},
                                               {v1::TURN_STATE_ANSWERED, "answered"},
                                               {v1::TURN_STATE_SKIPPED, "skipped"}};
constexpr Word<v1::SkipReason> kSkipReasons[] = {
    {v1::SKIP_REASON_TAKEOVER, "takeover"}, {v1::SKIP_REASON_STALE, "stale"}, {v1::SKIP_REASON_KILLED, "killed"},
    {v1::SKIP_REASON_BLOCKED, "blocked"},   {v1::SKIP_REASON_EMPTY, "empty"}, {v1::SKIP_REASON_DUPLICATE, "duplicate"}};
constexpr Word<v1::PartState> kPartStates[] = {
    {v1::PART_STATE_QUEUED, "queued"},       {v1::PART_STATE_SENDING, "sending"},
    {v1::PART_STATE_SENT, "sent"},           {v1::PART_STATE_DELIVERED, "delivered"},
    {v1::PART_STATE_READ, "read"},           {v1::PART_STATE_FAILED, "failed"},
    {v1::PART_STATE_DISCARDED, "discarded"}, {v1::PART_STATE_UNKNOWN, "unknown"},
    {v1::PART_STATE_RETURNED, "returned"}};

template <class Enum, std::size_t N>
std::string_view Text(const Word<Enum> (&words)[N], Enum value) {
  for (const auto& word : words) {
    if (word.value == value) return word.text;
  }
  return "";
}
template <class Enum, std::size_t N>
Enum Value(const Word<Enum> (&words)[N], std::string_view text) {
  for (const auto& word : words) {
    if (word.text == text) return word.value;
  }
  return static_cast<Enum>(0);
}

std::string_view Column(const pqxx::row& row, pqxx::row::size_type index) {
  const auto field = row[index];
  return field.is_null() ? std::string_view() : std::string_view(field.c_str(), field.size());
}
bool Flag(const pqxx::row& row, pqxx::row::size_type index) { return Column(row, index) == "t"; }
std::int64_t Number(const pqxx::row& row, pqxx::row::size_type index) {
  return row[index].is_null() ? 0 : row[index].as<std::int64_t>();
}
void Assign(std::string* target, std::string_view text) { target->assign(text.data(), text.size()); }

// What the database made of our own rows; anything else counts as empty.
json::array ParseArray(std::string_view text) {
  if (text.size() <= 2) return {};
  boost::system::error_code error;
  json::value value = json::parse(boost::core::string_view(text.data(), text.size()), error);
  return !error && value.is_array() ? std::move(value.get_array()) : json::array();
}

}  // namespace

std::string_view ToText(v1::Route route) { return Text(kRoutes, route); }
std::string_view ToText(v1::ReplyOrigin origin) { return Text(kOrigins, origin); }
std::string_view ToText(v1::FixedReplyKind kind) { return Text(kFixedKinds, kind); }
std::string_view ToText(v1::ConversationStatus status) { return Text(kStatuses, status); }
v1::Route RouteFromText(std::string_view text) { return Value(kRoutes, text); }
v1::ReplyOrigin OriginFromText(std::string_view text) { return Value(kOrigins, text); }
v1::ConversationStatus StatusFromText(std::string_view text) { return Value(kStatuses, text); }
v1::TurnState TurnStateFromText(std::string_view text) { return Value(kTurnStates, text); }
v1::SkipReason SkipReasonFromText(std::string_view text) { return Value(kSkipReasons, text); }
v1::PartState PartStateFromText(std::string_view text) { return Value(kPartStates, text); }

std::string VerdictToJson(const v1::Verdict& verdict) {
  if (verdict.table_version().empty()) return "";
  json::object object;
  object["severity"] = verdict.severity();
  object["table_version"] = verdict.table_version();
  if (!verdict.family().empty()) object["family"] = verdict.family();
  if (!verdict.rule_id().empty()) object["rule_id"] = verdict.rule_id();
  if (!verdict.language().empty()) object["language"] = verdict.language();
  return json::serialize(object);
}

void VerdictFromJson(std::string_view text, v1::Verdict* verdict) {
  boost::system::error_code error;
  const json::value value = json::parse(boost::core::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return;
  const auto read = [&](const char* name) -> std::string {
    const json::value* found = value.get_object().if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
  };
  verdict->set_severity(read("severity"));
  verdict->set_table_version(read("table_version"));
  verdict->set_family(read("family"));
  verdict->set_rule_id(read("rule_id"));
  verdict->set_language(read("language"));
}

google::protobuf::Timestamp TimeFromMicros(std::int64_t micros) {
  google::protobuf::Timestamp time;
  time.set_seconds(micros / 1'000'000);
  time.set_nanos(static_cast<std::int32_t>(micros % 1'000'000) * 1000);
  return time;
}

void ReadHistory(std::string_view text, v1::Turn* turn) {
  turn->set_first_contact(true);  // a contact to whom nothing was ever sent
  while (!text.empty()) {
    const char who = text.front();
    std::int64_t seconds = 0;
    std::size_t octets = 0;
    const char* const end = text.data() + text.size();
    const auto time = std::from_chars(text.data() + 1, end, seconds);
    if (time.ec != std::errc() || time.ptr == end || *time.ptr != ',') return;
    const auto size = std::from_chars(time.ptr + 1, end, octets);
    if (size.ec != std::errc() || size.ptr == end || *size.ptr != ':') return;
    if (octets > static_cast<std::size_t>(end - size.ptr - 1)) return;
    const std::string_view content(size.ptr + 1, octets);
    text = std::string_view(content.data() + octets, static_cast<std::size_t>(end - content.data()) - octets);
    if (who == 'n' || who == 't') {
      if (!content.empty()) *(who == 'n' ? turn->add_patient_names() : turn->add_patient_phones()) = content;
      continue;
    }
    v1::HistoryMessage* message = turn->add_history();
    message->set_from_hospital(who != 'p');
    message->set_from_staff(who == 's');
    *message->mutable_text() = content;
    message->mutable_create_time()->set_seconds(seconds);
    if (who != 'p') turn->set_first_contact(false);
  }
}

TurnOutcome ReadTurn(const pqxx::row& row) {
  TurnOutcome outcome;
  v1::Turn& turn = outcome.turn;
  Assign(turn.mutable_conversation_id(), Column(row, 0));
  Assign(turn.mutable_contact_id(), Column(row, 1));
  outcome.status = StatusFromText(Column(row, 2));
  Assign(turn.mutable_id(), Column(row, 3));
  turn.set_state(TurnStateFromText(Column(row, 4)));
  turn.set_skip_reason(SkipReasonFromText(Column(row, 5)));
  turn.set_route(RouteFromText(Column(row, 6)));
  if (!row[7].is_null()) *turn.mutable_claim_expire_time() = TimeFromMicros(Number(row, 7));
  outcome.duplicate = Flag(row, 8);
  if (!row[9].is_null()) {
    Assign(outcome.reply.mutable_id(), Column(row, 9));
    Assign(outcome.reply.mutable_text(), Column(row, 10));
    outcome.reply.set_origin(OriginFromText(Column(row, 11)));
  }
  for (const json::value& text : ParseArray(Column(row, 12))) {
    if (text.is_string()) turn.add_texts(std::string(text.get_string()));
  }
  if (turn.has_claim_expire_time()) ReadHistory(Column(row, 13), &turn);
  if (!row[14].is_null()) VerdictFromJson(Column(row, 14), turn.mutable_verdict());
  return outcome;
}

void ReadConversation(const pqxx::row& row, v1::Conversation* conversation) {
  Assign(conversation->mutable_id(), Column(row, 0));
  Assign(conversation->mutable_contact_id(), Column(row, 1));
  Assign(conversation->mutable_number_id(), Column(row, 2));
  Assign(conversation->mutable_phone(), Column(row, 3));
  Assign(conversation->mutable_patient_name(), Column(row, 4));
  conversation->set_status(StatusFromText(Column(row, 5)));
  Assign(conversation->mutable_assigned_to(), Column(row, 6));
  Assign(conversation->mutable_takeover_reason(), Column(row, 7));
  *conversation->mutable_create_time() = TimeFromMicros(Number(row, 8));
  *conversation->mutable_update_time() = TimeFromMicros(Number(row, 9));
  Assign(conversation->mutable_etag(), Column(row, 10));
  conversation->set_opted_out(Flag(row, 11));
}

}  // namespace medidesk::store
