#include "store/number_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/turn_rows.h"

namespace medidesk::store {
namespace {

// The database's words are the contract's names, lower case, without their prefix.
std::string Word(const std::string& name, std::string_view prefix) {
  if (name.size() <= prefix.size()) return "";
  std::string word = name.substr(prefix.size());
  std::transform(word.begin(), word.end(), word.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return word == "unspecified" ? "" : word;
}
std::string Name(std::string_view prefix, std::string_view word) {
  std::string name(prefix);
  for (const char c : word) name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return name;
}

template <class Set>
void ReadTime(const pqxx::row& row, int column, Set set) {
  if (!row[column].is_null()) *set() = TimeFromMicros(row[column].as<std::int64_t>());
}

}  // namespace

std::string ToText(v1::NumberState state) { return Word(v1::NumberState_Name(state), "NUMBER_STATE_"); }
std::string ToText(v1::SendState state) { return Word(v1::SendState_Name(state), "SEND_STATE_"); }
std::string ToText(v1::InboundKind kind) { return Word(v1::InboundKind_Name(kind), "INBOUND_KIND_"); }

std::optional<std::string> SecondsText(bool present, const google::protobuf::Timestamp& time) {
  if (!present) return std::nullopt;
  return fmt::format("{}.{:09}", time.seconds(), time.nanos());
}

void ReadNumber(const pqxx::row& row, v1::Number* number) {
  number->set_id(row[0].c_str());
  number->set_name(row[1].c_str());
  number->set_phone(row[2].c_str());
  number->set_device_jid(row[3].c_str());
  v1::NumberState state = v1::NUMBER_STATE_NO_DEVICE;
  v1::NumberState_Parse(Name("NUMBER_STATE_", row[4].c_str()), &state);
  number->set_state(state);
  number->set_state_reason(row[5].c_str());
  ReadTime(row, 6, [&] { return number->mutable_state_time(); });
  ReadTime(row, 7, [&] { return number->mutable_retry_time(); });
  v1::SendState send_state = v1::SEND_STATE_NORMAL;
  v1::SendState_Parse(Name("SEND_STATE_", row[8].c_str()), &send_state);
  number->set_send_state(send_state);
  ReadTime(row, 9, [&] { return number->mutable_send_state_end_time(); });
  number->set_enabled(row[10].as<bool>());
  number->set_bot_enabled(row[11].as<bool>());
  number->set_phone_auto_replies(row[12].as<bool>());
  number->set_gateway_id(row[13].c_str());
  number->set_owner_address(row[14].c_str());
  number->set_owner_alive(row[15].as<bool>());
  ReadTime(row, 16, [&] { return number->mutable_last_received_time(); });
  ReadTime(row, 17, [&] { return number->mutable_last_sent_time(); });
  ReadTime(row, 18, [&] { return number->mutable_last_server_ack_time(); });
  ReadTime(row, 19, [&] { return number->mutable_phone_seen_time(); });
  ReadTime(row, 20, [&] { return number->mutable_link_time(); });
  number->set_display_name(row[21].c_str(), row[21].size());
  number->set_platform(row[22].c_str());
  number->set_etag(row[23].c_str());
}

std::string ReadBytes(const pqxx::field& field) {
  return field.is_null() ? std::string() : pqxx::binarystring(field).str();
}

}  // namespace medidesk::store
