// Between the rows of numbers and device state and the contracts: words, columns, messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "medidesk/store/v1/number.pb.h"
#include "medidesk/store/v1/operation.pb.h"
#include "store/database.h"

namespace medidesk::store {

// "connected" for NUMBER_STATE_CONNECTED and so on; "" for UNSPECIFIED and for what is not known here.
std::string ToText(v1::NumberState state);
std::string ToText(v1::SendState state);
std::string ToText(v1::InboundKind kind);

// Seconds since the epoch with a fraction, as to_timestamp() takes them; nullopt for an absent time.
std::optional<std::string> SecondsText(bool present, const google::protobuf::Timestamp& time);

// A number in the order of these columns, over MD_FROM_NUMBERS.
#define MD_NUMBER_COLUMNS                                                                                          \
  "n.id, n.name, coalesce(n.phone, ''), coalesce(s.device_jid, ''), coalesce(s.state, 'no_device'), "              \
  "coalesce(s.state_reason, ''), (extract(epoch from s.state_at) * 1000000)::bigint, "                             \
  "(extract(epoch from s.retry_at) * 1000000)::bigint, coalesce(s.send_state, 'normal'), "                         \
  "(extract(epoch from s.send_state_end_at) * 1000000)::bigint, n.enabled, n.bot_enabled, n.phone_auto_replies, "  \
  "coalesce(g.gateway_id, ''), coalesce(g.address, ''), coalesce(g.live_until > clock_timestamp(), false), "       \
  "(extract(epoch from s.last_received_at) * 1000000)::bigint, (extract(epoch from s.last_sent_at) * "             \
  "1000000)::bigint, (extract(epoch from s.last_server_ack_at) * 1000000)::bigint, "                               \
  "(extract(epoch from s.phone_seen_at) * 1000000)::bigint, (extract(epoch from s.linked_at) * 1000000)::bigint, " \
  "coalesce(s.display_name, ''), coalesce(s.platform, ''), n.settings_version, n.lease_token, "                    \
  "coalesce((select d.revision from medidesk.device_commits d where d.number_id = n.id), 0)"
#define MD_FROM_NUMBERS                                                            \
  " from public.numbers n left join public.number_states s on s.number_id = n.id " \
  "left join medidesk.gateways g on g.instance_id = n.lease_instance "
void ReadNumber(const pqxx::row& row, v1::Number* number);
inline constexpr int kLeaseTokenColumn = 24;
inline constexpr int kRevisionColumn = 25;

// Bytes from a bytea column, however the server writes them.
std::string ReadBytes(const pqxx::field& field);

}  // namespace medidesk::store
