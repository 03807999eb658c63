#include "cli/doctor/net_stream.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

namespace medidesk::cli {
namespace {

absl::Status Unavailable(std::string_view text) {
  ERR_clear_error();
  return Error(absl::StatusCode::kUnavailable, text);
}

using Addresses = std::shared_ptr<addrinfo>;

// The resolver has no timeout of its own: it runs beside us and is left behind when it is late.
absl::StatusOr<Addresses> Resolve(const Endpoint& endpoint, NetStream::Deadline deadline) {
  const auto promise = std::make_shared<std::promise<Addresses>>();
  std::future<Addresses> future = promise->get_future();
  std::thread([promise, host = endpoint.host, port = endpoint.port] {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const bool known = getaddrinfo(host.c_str(), port.c_str(), &hints, &found) == 0;
    promise->set_value(known ? Addresses(found, freeaddrinfo) : nullptr);
  }).detach();
  if (future.wait_until(deadline) != std::future_status::ready) {
    return Error(absl::StatusCode::kDeadlineExceeded, "the name server does not answer");
  }
  Addresses addresses = future.get();
  if (addresses == nullptr) return Unavailable("the host's name is unknown");
  return addresses;
}

}  // namespace

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view url) {
  const auto malformed = [] { return Error(absl::StatusCode::kInvalidArgument, "expected scheme://host[:port]/path"); };
  Endpoint endpoint;
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return malformed();
  const std::string_view scheme = url.substr(0, colon);
  if (scheme != "http" && scheme != "https" && scheme != "ws" && scheme != "wss") return malformed();
  endpoint.tls = scheme == "https" || scheme == "wss";
  std::string_view rest = url.substr(colon + 3);
  const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  endpoint.target = rest.substr(slash);
  if (endpoint.target.empty() || endpoint.target[0] != '/') endpoint.target.insert(0, "/");
  for (const char c : url) {
    if (c <= 0x20 || c == 0x7F) return malformed();
  }
  if (authority.find('@') != std::string_view::npos) return malformed();
  const std::size_t bracket = authority.rfind(']');
  const std::size_t port = authority.rfind(':');
  if (port != std::string_view::npos && (bracket == std::string_view::npos || port > bracket)) {
    endpoint.port = authority.substr(port + 1);
    authority = authority.substr(0, port);
  }
  if (endpoint.port.empty()) endpoint.port = endpoint.tls ? "443" : "80";
  if (authority.size() > 2 && authority.front() == '[') authority = authority.substr(1, authority.size() - 2);
  endpoint.host = authority;
  if (endpoint.host.empty() || endpoint.port.find_first_not_of("0123456789") != std::string::npos) return malformed();
  return endpoint;
}

absl::StatusOr<std::unique_ptr<NetStream>> NetStream::Connect(const Endpoint& endpoint, Deadline deadline) {
  MD_ASSIGN_OR_RETURN(const Addresses addresses, Resolve(endpoint, deadline));
  absl::Status status = Unavailable("the host has no address");
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) continue;
    std::unique_ptr<NetStream> stream(new NetStream(fd, deadline));
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
      status = Unavailable("nothing listens there");
      continue;
    }
    status = stream->Wait(POLLOUT);
    if (!status.ok()) return status;  // the time is over
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      status = Unavailable(error == ECONNREFUSED ? "nothing listens there" : "the network does not lead there");
      continue;
    }
    if (endpoint.tls) MD_RETURN_IF_ERROR(stream->StartTls(endpoint.host));
    return stream;
  }
  return status;
}

NetStream::~NetStream() {
  ssl_.reset();
  close(fd_);
}

absl::Status NetStream::StartTls(const std::string& host) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (context_ == nullptr || SSL_CTX_set_default_verify_paths(context_.get()) != 1) {
    return Unavailable("OpenSSL finds no certificates of CAs: install ca-certificates");
  }
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  ssl_.reset(SSL_new(context_.get()));
  if (ssl_ == nullptr) return Unavailable("OpenSSL failed");
  in6_addr ip;
  if (inet_pton(AF_INET, host.c_str(), &ip) == 1 || inet_pton(AF_INET6, host.c_str(), &ip) == 1) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  } else {
    SSL_set1_host(ssl_.get(), host.c_str());
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  }
  SSL_set_fd(ssl_.get(), fd_);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1) return absl::OkStatus();
    const absl::Status status = WaitForTls(result);
    if (status.code() == absl::StatusCode::kUnavailable) {
      return Unavailable(SSL_get_verify_result(ssl_.get()) == X509_V_OK
                             ? "TLS does not come about: something else listens there, or a proxy is in between"
                             : "its certificate is not accepted: a proxy may be in between, or the clock is wrong");
    }
    MD_RETURN_IF_ERROR(status);
  }
}

absl::Status NetStream::Wait(short events) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now()).count();
  pollfd polled{fd_, events, 0};
  if (left > 0 && poll(&polled, 1, static_cast<int>(left)) > 0) return absl::OkStatus();
  return Error(absl::StatusCode::kDeadlineExceeded, "no answer in time");
}

// After an SSL_ call that gave `result`: OK to try it again, else UNAVAILABLE.
absl::Status NetStream::WaitForTls(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Wait(POLLIN);
    case SSL_ERROR_WANT_WRITE:
      return Wait(POLLOUT);
    default:
      return Unavailable("the connection ended");
  }
}

absl::Status NetStream::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const ssize_t sent = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                              : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (ssl_) {
      MD_RETURN_IF_ERROR(WaitForTls(static_cast<int>(sent)));
    } else if (errno == EAGAIN) {
      MD_RETURN_IF_ERROR(Wait(POLLOUT));
    } else {
      return Unavailable("the connection ended");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> NetStream::ReadSome() {
  char bytes[8192];
  for (;;) {
    ERR_clear_error();
    const ssize_t got = ssl_ ? SSL_read(ssl_.get(), bytes, sizeof bytes) : recv(fd_, bytes, sizeof bytes, 0);
    if (got > 0) return std::string(bytes, static_cast<std::size_t>(got));
    if (ssl_ ? SSL_get_error(ssl_.get(), static_cast<int>(got)) == SSL_ERROR_ZERO_RETURN : got == 0) {
      return std::string();
    }
    if (ssl_) {
      MD_RETURN_IF_ERROR(WaitForTls(static_cast<int>(got)));
    } else if (errno == EAGAIN) {
      MD_RETURN_IF_ERROR(Wait(POLLIN));
    } else {
      return Unavailable("the connection ended");
    }
  }
}

}  // namespace medidesk::cli
