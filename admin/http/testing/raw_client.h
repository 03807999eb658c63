// A blocking socket for tests that must send what no well-behaved client sends. Loopback only.
// Every read has a deadline of ten seconds, so a test fails instead of hanging.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace medidesk::http {

class RawClient {
 public:
  struct Answer {
    int status = 0;  // 0: the connection ended before a whole answer
    std::map<std::string, std::string> headers;
    std::string body;
  };

  explicit RawClient(std::uint16_t port, bool tls = false);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False when the server has closed or reset the connection.
  bool Send(std::string_view bytes);
  // Sends `request` and reads its answer.
  Answer Ask(std::string_view request);
  // `head_only`: the answer to HEAD, which has a length and no body.
  Answer Read(bool head_only = false);
  // Reads to the end of the stream; true when the server closed it in good order (no reset).
  bool ClosedByServer();
  void CloseSending();
  // Bytes that a read gives within `wait`; empty at the end or when none come.
  std::string Peek(std::chrono::milliseconds wait);

 private:
  long Receive(char* out, std::size_t size);

  int socket_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* tls_ = nullptr;
  std::string held_;
};

}  // namespace medidesk::http
