// Between the database's words and the contracts': enums as text, rows as messages.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "medidesk/store/v1/conversation.pb.h"
#include "store/database.h"

namespace medidesk::store {

std::string_view ToText(v1::Route route);          // "wa", "webhook", "rpc"; "" for others
std::string_view ToText(v1::ReplyOrigin origin);   // "bot", ...; "" for others
std::string_view ToText(v1::FixedReplyKind kind);  // "emergency", ...; "" for others
std::string_view ToText(v1::ConversationStatus status);

v1::Route RouteFromText(std::string_view text);
v1::ReplyOrigin OriginFromText(std::string_view text);
v1::ConversationStatus StatusFromText(std::string_view text);
v1::TurnState TurnStateFromText(std::string_view text);
v1::SkipReason SkipReasonFromText(std::string_view text);
v1::PartState PartStateFromText(std::string_view text);

// The verdict as the JSON that the database keeps; "" for one that was never made.
std::string VerdictToJson(const v1::Verdict& verdict);
void VerdictFromJson(std::string_view json, v1::Verdict* verdict);

// Microseconds since the epoch, as our queries return times.
google::protobuf::Timestamp TimeFromMicros(std::int64_t micros);

// A row of accept() or get_turn(), in the order of kTurnColumns.
struct TurnOutcome {
  v1::Turn turn;
  v1::Reply reply;  // id empty: none
  v1::ConversationStatus status = v1::CONVERSATION_STATUS_UNSPECIFIED;
  bool duplicate = false;
};
#define MD_TURN_COLUMNS                                                                    \
  "conversation_id, contact_id, status, turn_id, state, skip_reason, route, "              \
  "(extract(epoch from claim_until) * 1000000)::bigint, duplicate, reply_id, reply_text, " \
  "reply_origin, texts, history, verdict"
TurnOutcome ReadTurn(const pqxx::row& row);
// medidesk.history()'s text into `turn`: who is writing, what was said, and whether the hospital ever wrote. What does
// not fit the form ends the reading.
void ReadHistory(std::string_view text, v1::Turn* turn);

// A conversation in the order of MD_CONVERSATION_COLUMNS, over conversations c join contacts k.
#define MD_CONVERSATION_COLUMNS                                                                                      \
  "c.id, c.contact_id, c.number_id, c.phone, coalesce(c.patient_name, ''), c.status, coalesce(c.assigned_to::text, " \
  "''), "                                                                                                            \
  "coalesce(k.takeover_reason, ''), (extract(epoch from c.created_at) * 1000000)::bigint, "                          \
  "(extract(epoch from c.updated_at) * 1000000)::bigint, c.xmin::text, k.opted_out_at is not null, "                 \
  "(extract(epoch from c.activity_minute) / 60)::bigint"
void ReadConversation(const pqxx::row& row, v1::Conversation* conversation);

}  // namespace medidesk::store
