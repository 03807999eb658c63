// The server side of WhatsApp's linked devices on the loopback interface. A test tool: no production target links it.
//
//   auto sim = *WhatsAppSim::Start({});
//   sim->Post("/phones", R"({"phone":"15550001111"})");
//   ... a client on sim->ws_url() that trusts sim->root_key() ...
//   sim->Post("/scan", ..);  sim->Get("/logins");
//
// What can be asked for is in control.h. Every method is thread-safe. Destruction closes all connections and joins
// the thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tests/sim/whatsapp/control.h"
#include "tests/sim/whatsapp/settings.h"

namespace medidesk::whatsapp_sim {

class WhatsAppSim {
 public:
  struct Options {
    int port = 0;          // of the WebSocket; 0: any free one
    int control_port = 0;  // the same
    std::string tls_cert;  // PEM file; with tls_key it makes the WebSocket a wss:// one
    std::string tls_key;   // PEM file
    Settings settings{};
  };

  // UNAVAILABLE when a port cannot be opened; INVALID_ARGUMENT when a PEM file cannot be used.
  static absl::StatusOr<std::unique_ptr<WhatsAppSim>> Start(Options options);
  ~WhatsAppSim();
  WhatsAppSim(const WhatsAppSim&) = delete;
  WhatsAppSim& operator=(const WhatsAppSim&) = delete;

  const std::string& ws_url() const;       // "ws://127.0.0.1:PORT/ws/chat"
  const std::string& control_url() const;  // "http://127.0.0.1:PORT"
  const std::string& root_key() const;     // of the Noise certificates, 64 hex digits
  // {"ws_url":..,"control_url":..,"root_key":..} on one line
  const std::string& about() const;

  ControlAnswer Get(std::string_view target);
  ControlAnswer Post(std::string_view target, std::string_view body);

 private:
  class Server;
  explicit WhatsAppSim(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace medidesk::whatsapp_sim
