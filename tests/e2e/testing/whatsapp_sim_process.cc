#include "tests/e2e/testing/whatsapp_sim_process.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

extern char** environ;

namespace medidesk::testing {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;

std::string Text(const json::object& object, const char* key) {
  const json::string& text = object.at(key).as_string();
  return {text.data(), text.size()};
}

std::string ReadLine(int fd) {
  std::string line;
  char c = 0;
  while (::read(fd, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

}  // namespace

WhatsAppSimProcess::WhatsAppSimProcess(std::vector<std::string> flags) {
  const char* program = std::getenv("WHATSAPP_SIM");
  if (program == nullptr) throw std::runtime_error("set WHATSAPP_SIM to the whatsapp-sim program");
  int out[2];
  if (::pipe(out) != 0) throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, out[0]);
  posix_spawn_file_actions_addclose(&actions, out[1]);
  std::string name = program;
  std::vector<char*> arguments = {name.data()};
  for (std::string& flag : flags) arguments.push_back(flag.data());
  arguments.push_back(nullptr);
  const int failed = ::posix_spawn(&pid_, program, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  const std::string line = failed == 0 ? ReadLine(out[0]) : std::string();
  ::close(out[0]);
  if (line.empty()) throw std::runtime_error("whatsapp-sim did not start");
  const json::object about = json::parse(line).as_object();
  url_ = Text(about, "ws_url");
  root_key_ = Text(about, "root_key");
  const std::string control = Text(about, "control_url");
  control_port_ = control.substr(control.rfind(':') + 1);
}

WhatsAppSimProcess::~WhatsAppSimProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

json::object WhatsAppSimProcess::Ask(const char* method, const std::string& path, const std::string& body) {
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), static_cast<unsigned short>(std::stoi(control_port_))});
  http::request<http::string_body> request(http::string_to_verb(method), path, 11);
  request.set(http::field::host, "127.0.0.1");
  request.set(http::field::connection, "close");
  request.body() = body;
  request.prepare_payload();
  http::write(socket, request);
  boost::beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::read(socket, buffer, response);
  if (response.result_int() != 200) throw std::runtime_error(path + ": " + response.body());
  return json::parse(response.body()).as_object();
}

json::object WhatsAppSimProcess::Get(const std::string& path) { return Ask("GET", path, ""); }
json::object WhatsAppSimProcess::Post(const std::string& path, const json::object& body) {
  return Ask("POST", path, json::serialize(body));
}

std::string WhatsAppSimProcess::AddPhone() { return Text(Post("/phones"), "phone"); }

json::object WhatsAppSimProcess::Device(const std::string& phone) {
  const json::object all = Get("/phones");
  for (const json::value& entry : all.at("phones").as_array()) {
    if (Text(entry.as_object(), "phone") != phone) continue;
    const json::array& devices = entry.as_object().at("devices").as_array();
    return devices.empty() ? json::object() : devices.front().as_object();
  }
  return {};
}

int WhatsAppSimProcess::CountEvents(const std::string& event) {
  int count = 0;
  const json::object all = Get("/logins");
  for (const json::value& entry : all.at("events").as_array())
    count += Text(entry.as_object(), "event") == event ? 1 : 0;
  return count;
}

}  // namespace medidesk::testing
