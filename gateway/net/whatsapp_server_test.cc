#include "gateway/net/whatsapp_server.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::net {
namespace {

TEST(WhatsAppServer, ReadsTheUrlOfTheRealServer) {
  const auto server = WhatsAppServer::Make("wss://web.whatsapp.com/ws/chat");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->host, "web.whatsapp.com");
  EXPECT_EQ(server->port, "443");
  EXPECT_EQ(server->target, "/ws/chat");
  EXPECT_EQ(server->host_header, "web.whatsapp.com");
  EXPECT_NE(server->tls, nullptr);
}

TEST(WhatsAppServer, ReadsPortsQueriesAndAddresses) {
  const auto server = WhatsAppServer::Make("ws://[::1]:8080/ws/chat?gateway=a");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->host, "::1");
  EXPECT_EQ(server->port, "8080");
  EXPECT_EQ(server->target, "/ws/chat?gateway=a");
  EXPECT_EQ(server->host_header, "[::1]:8080");
  EXPECT_EQ(server->tls, nullptr);
  EXPECT_EQ(WhatsAppServer::Make("ws://localhost")->target, "/");
  EXPECT_EQ(WhatsAppServer::Make("ws://localhost")->port, "80");
}

TEST(WhatsAppServer, RefusesOtherUrls) {
  for (const char* url : {"", "web.whatsapp.com", "https://web.whatsapp.com/ws/chat", "ws:///ws/chat", "ws://host:0/",
                          "ws://host:70000/", "ws://user:secret@host/", "ws://host/#part", "ws://ho st/"}) {
    const auto server = WhatsAppServer::Make(url);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_EQ(server.status().ToString().find("secret"), std::string::npos);
  }
}

TEST(WhatsAppServer, RefusesAuthoritiesThatCannotBeRead) {
  const auto server = WhatsAppServer::Make("wss://localhost/", "/nowhere/ca.pem");
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace medidesk::gateway::net
