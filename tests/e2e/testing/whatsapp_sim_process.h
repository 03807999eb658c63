// The WhatsApp simulator as a program of its own, and its control plane (tests/sim/whatsapp/control.h). The program is
// the one that the environment variable WHATSAPP_SIM names.
//
// Not thread-safe. A failure of the test's own machinery throws.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <sys/types.h>

#include <string>
#include <vector>

namespace medidesk::testing {

class WhatsAppSimProcess {
 public:
  explicit WhatsAppSimProcess(std::vector<std::string> flags = {});
  // Ends the program and waits for it.
  ~WhatsAppSimProcess();
  WhatsAppSimProcess(const WhatsAppSimProcess&) = delete;
  WhatsAppSimProcess& operator=(const WhatsAppSimProcess&) = delete;

  const std::string& url() const { return url_; }
  const std::string& root_key() const { return root_key_; }  // hex

  boost::json::object Get(const std::string& path);
  boost::json::object Post(const std::string& path, const boost::json::object& body = {});

  // A new phone's number.
  std::string AddPhone();
  // The one device of a phone, or an empty object.
  boost::json::object Device(const std::string& phone);
  // How often the log of logins has `event`.
  int CountEvents(const std::string& event);

 private:
  boost::json::object Ask(const char* method, const std::string& path, const std::string& body);

  pid_t pid_ = 0;
  std::string url_, root_key_, control_port_;
};

}  // namespace medidesk::testing
