#include "gateway/wa/signal_address.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::wa {
namespace {

TEST(SignalAddress, IsTheUserWithItsDomainAndDevice) {
  const auto key = [](const char* jid) { return SignalAddressKey(*Jid::Parse(jid)); };
  EXPECT_EQ(key("34600000002@s.whatsapp.net"), "34600000002.0");
  EXPECT_EQ(key("34600000002:3@s.whatsapp.net"), "34600000002.3");
  EXPECT_EQ(key("222222222222222:17@lid"), "222222222222222_1.17");
  EXPECT_EQ(key("34600000002:99@hosted"), "34600000002_128.99");
  EXPECT_EQ(key("222222222222222:99@hosted.lid"), "222222222222222_129.99");
}

}  // namespace
}  // namespace medidesk::gateway::wa
