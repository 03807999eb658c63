// JIDs: the addresses of WhatsApp.
//
//   15550001111@s.whatsapp.net      an account by phone number
//   15550001111:12@s.whatsapp.net   device 12 of it (device 0, the phone itself, has no suffix)
//   123456789012345:7@lid           the same by its hidden id
//   120363041234567890@g.us         a group
//   @s.whatsapp.net                 the server itself; "s.whatsapp.net" is read as the same
//
// A value type. Parsing bounds nothing and copies; the texts come from stanzas that are bounded already.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace medidesk::gateway::wa {

inline constexpr std::string_view kUserServer = "s.whatsapp.net";
inline constexpr std::string_view kLidServer = "lid";
inline constexpr std::string_view kGroupServer = "g.us";
inline constexpr std::string_view kBroadcastServer = "broadcast";
inline constexpr std::string_view kNewsletterServer = "newsletter";
inline constexpr std::string_view kHostedServer = "hosted";
inline constexpr std::string_view kHostedLidServer = "hosted.lid";
inline constexpr std::string_view kMessengerServer = "msgr";
inline constexpr std::string_view kInteropServer = "interop";

// True for the servers that the protocol names; others may still come in and are kept as text.
bool IsKnownServer(std::string_view server);

struct Jid {
  std::string user;    // may be empty: the server itself; "integrator-user" where server is "interop"
  std::string server;  // never empty in a parsed Jid
  std::uint16_t device = 0;
  std::uint8_t agent = 0;  // only for "s.whatsapp.net": a domain byte that names no server we know

  // The address of the server itself, `S` in stanzas.
  static Jid Server() { return {.user = "", .server = std::string(kUserServer)}; }

  // Reads user[.agent][:device]@server, @server, or a known server alone. nullopt: no such text. The agent is looked
  // for at "s.whatsapp.net" only. Whatever follows the first @ is the server.
  static std::optional<Jid> Parse(std::string_view text);

  // As Parse, but only for a known server: for texts that may or may not be an address. Never for a patient's text.
  static std::optional<Jid> Detect(std::string_view text);

  // The text form; no ":0", and "@server" where there is no user.
  std::string ToString() const;

  // The account without the device and agent: whom a conversation is with.
  Jid WithoutDevice() const { return {.user = user, .server = server}; }

  bool IsServer() const { return user.empty() && server == kUserServer; }
  bool IsLid() const { return server == kLidServer || server == kHostedLidServer; }
  bool IsGroup() const { return server == kGroupServer; }

  friend auto operator<=>(const Jid&, const Jid&) = default;
};

}  // namespace medidesk::gateway::wa
