#include "admin/http/testing/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace medidesk::http {

RawClient::RawClient(std::uint16_t port, bool tls) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  const int on = 1;
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(socket_);
    socket_ = -1;
    return;
  }
  if (tls) {
    context_ = SSL_CTX_new(TLS_client_method());
    tls_ = SSL_new(context_);
    SSL_set_fd(tls_, socket_);
    if (SSL_connect(tls_) != 1) {
      SSL_free(tls_);
      tls_ = nullptr;
      close(socket_);
      socket_ = -1;
    }
  }
}

RawClient::~RawClient() {
  if (tls_ != nullptr) SSL_free(tls_);
  if (context_ != nullptr) SSL_CTX_free(context_);
  if (socket_ >= 0) close(socket_);
}

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const long sent = tls_ != nullptr ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                      : send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

long RawClient::Receive(char* out, std::size_t size) {
  return tls_ != nullptr ? SSL_read(tls_, out, static_cast<int>(size)) : recv(socket_, out, size, 0);
}

RawClient::Answer RawClient::Ask(std::string_view request) {
  if (!Send(request)) return {};
  return Read();
}

RawClient::Answer RawClient::Read(bool head_only) {
  Answer answer;
  char bytes[16384];
  std::size_t end;
  while ((end = held_.find("\r\n\r\n")) == std::string::npos) {
    const long size = Receive(bytes, sizeof bytes);
    if (size <= 0) return {};
    held_.append(bytes, static_cast<std::size_t>(size));
  }
  std::string_view head = std::string_view(held_).substr(0, end + 2);
  const std::size_t line = head.find("\r\n");
  answer.status = std::atoi(std::string(head.substr(9, 3)).c_str());
  head.remove_prefix(line + 2);
  while (!head.empty()) {
    const std::size_t next = head.find("\r\n");
    const std::size_t colon = head.find(": ");
    answer.headers[std::string(head.substr(0, colon))] = head.substr(colon + 2, next - colon - 2);
    head.remove_prefix(next + 2);
  }
  std::size_t length = 0;
  if (const auto found = answer.headers.find("content-length"); found != answer.headers.end() && !head_only) {
    length = std::strtoull(found->second.c_str(), nullptr, 10);
  }
  while (held_.size() < end + 4 + length) {
    const long size = Receive(bytes, sizeof bytes);
    if (size <= 0) return {};
    held_.append(bytes, static_cast<std::size_t>(size));
  }
  answer.body = held_.substr(end + 4, length);
  held_.erase(0, end + 4 + length);
  return answer;
}

bool RawClient::ClosedByServer() {
  char bytes[4096];
  for (;;) {
    const long size = Receive(bytes, sizeof bytes);
    if (size == 0) return true;
    if (size < 0) return false;
  }
}

void RawClient::CloseSending() { shutdown(socket_, SHUT_WR); }

std::string RawClient::Peek(std::chrono::milliseconds wait) {
  pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, static_cast<int>(wait.count())) <= 0) return {};
  char bytes[4096];
  const long size = Receive(bytes, sizeof bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace medidesk::http
