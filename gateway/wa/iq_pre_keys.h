// What the server knows of our pre-keys, and giving it more.
#pragma once

#include <cstdint>
#include <vector>

#include "gateway/wa/iq.h"
#include "gateway/wa/pre_keys.h"

namespace medidesk::gateway::wa {

// How many one-time keys the server has left to hand out.
struct PreKeyCountRequest {
  using Response = std::uint64_t;
  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node& answer);  // 0 when it names no number
};

// Gives the server our identity and one-time keys. Store their private halves durably first.
struct PreKeyUploadRequest {
  struct Response {};
  std::uint32_t registration_id;
  Key32 identity;  // public
  const SignedPreKey& signed_pre_key;
  const std::vector<PreKey>& pre_keys;

  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

// What the server holds of us. NOT_FOUND: nothing.
struct PreKeyDigestRequest {
  struct Response {
    std::uint32_t registration_id = 0;
    Bytes identity;
    std::uint32_t signed_pre_key_id = 0;
    std::vector<std::uint32_t> pre_key_ids;
  };
  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node& answer);  // INVALID_ARGUMENT without a <digest>
};

// Replaces the signed pre-key. Store the new one durably first, and keep the old one for what is under way.
struct SignedPreKeyRotateRequest {
  struct Response {};
  const SignedPreKey& signed_pre_key;

  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

static_assert(IqRequest<PreKeyCountRequest> && IqRequest<PreKeyUploadRequest> && IqRequest<PreKeyDigestRequest> &&
              IqRequest<SignedPreKeyRotateRequest>);

}  // namespace medidesk::gateway::wa
