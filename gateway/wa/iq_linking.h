// The requests of linking: by phone-number code, and past a passkey.
#pragma once

#include <optional>
#include <string>

#include "gateway/wa/curve25519.h"
#include "gateway/wa/iq.h"

namespace medidesk::gateway::wa {

// Asks the phone of `phone` (digits) to take a code. The response is the ref of this attempt.
struct CompanionHelloRequest {
  using Response = Bytes;
  std::string phone;
  Bytes wrapped_ephemeral;
  Key32 noise_public;
  char platform_id;
  std::string platform_display;  // "Chrome (Mac OS)"; the server refuses uncommon ones

  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node& answer);  // INVALID_ARGUMENT without a ref
};

// Gives the phone our half of the keys. The ADV secret that comes with it must be durable first.
struct CompanionFinishRequest {
  struct Response {};
  std::string phone;
  Bytes wrapped_bundle;
  Key32 identity_public;
  Bytes ref;

  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

// The WebAuthn options, where the notification brought none. The response is their JSON.
struct PasskeyOptionsRequest {
  using Response = std::string;
  Node Build(std::string_view id) const { return ServerIq(id, "get", "md", Node{"passkey_request_options", {}, {}}); }
  static absl::StatusOr<Response> Parse(const Node& answer);  // INVALID_ARGUMENT without
};

// The ref of this link attempt.
struct PairingRefRequest {
  using Response = std::string;
  Node Build(std::string_view id) const { return ServerIq(id, "get", "md", Node{"ref", {}, {}}); }
  static absl::StatusOr<Response> Parse(const Node& answer);  // INVALID_ARGUMENT without
};

struct PasskeyPrologueRequest {
  struct Response {};
  Bytes credential_id;
  std::string assertion_json;
  Bytes prologue;
  std::optional<Key32> handoff_proof;

  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

struct CompanionNonceRequest {
  struct Response {};
  Key32 nonce;

  Node Build(std::string_view id) const {
    return ServerIq(id, "set", "md", Node{"companion_nonce", {}, Bytes(nonce.begin(), nonce.end())});
  }
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

struct EncryptedPairingRequestIq {
  struct Response {};
  Bytes request;

  Node Build(std::string_view id) const {
    return ServerIq(id, "set", "md", Node{"encrypted_pairing_request", {}, request});
  }
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

static_assert(IqRequest<CompanionHelloRequest> && IqRequest<CompanionFinishRequest> &&
              IqRequest<PasskeyOptionsRequest> && IqRequest<PairingRefRequest> && IqRequest<PasskeyPrologueRequest> &&
              IqRequest<CompanionNonceRequest> && IqRequest<EncryptedPairingRequestIq>);

}  // namespace medidesk::gateway::wa
