#include "gateway/wa/jid.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::wa {
namespace {

struct Case {
  const char* text;
  Jid jid;
  const char* formatted;
};

TEST(Jid, ReadsAndWritesItsTextForms) {
  const Case cases[] = {
      {"15550001111@s.whatsapp.net", {"15550001111", "s.whatsapp.net"}, "15550001111@s.whatsapp.net"},
      {"15550001111:12@s.whatsapp.net", {"15550001111", "s.whatsapp.net", 12}, "15550001111:12@s.whatsapp.net"},
      {"15550001111:0@s.whatsapp.net", {"15550001111", "s.whatsapp.net"}, "15550001111@s.whatsapp.net"},
      {"15550001111.3:2@s.whatsapp.net", {"15550001111", "s.whatsapp.net", 2, 3}, "15550001111.3:2@s.whatsapp.net"},
      {"123:7@lid", {"123", "lid", 7}, "123:7@lid"},
      {"12036304-1@g.us", {"12036304-1", "g.us"}, "12036304-1@g.us"},
      {"status@broadcast", {"status", "broadcast"}, "status@broadcast"},
      {"5-987654:2@interop", {"5-987654", "interop", 2}, "5-987654:2@interop"},
      {"a.3@lid", {"a.3", "lid"}, "a.3@lid"},
      {"1.128:2@s.whatsapp.net", {"1.128", "s.whatsapp.net", 2}, "1.128:2@s.whatsapp.net"},
      {"1:02@lid", {"1:02", "lid"}, "1:02@lid"},
      {"a:b@lid", {"a:b", "lid"}, "a:b@lid"},
      {"a:70000@lid", {"a:70000", "lid"}, "a:70000@lid"},
      {"@s.whatsapp.net", {"", "s.whatsapp.net"}, "@s.whatsapp.net"},
      {"s.whatsapp.net", {"", "s.whatsapp.net"}, "@s.whatsapp.net"},
      {"x@example.org", {"x", "example.org"}, "x@example.org"},
  };
  for (const Case& c : cases) {
    const auto jid = Jid::Parse(c.text);
    ASSERT_TRUE(jid.has_value()) << c.text;
    EXPECT_EQ(*jid, c.jid) << c.text;
    EXPECT_EQ(jid->ToString(), c.formatted);
  }
}

TEST(Jid, RefusesWhatIsNoAddress) {
  for (const auto text : {"", "@", "15550001111", "user@", "example.org"}) {
    EXPECT_EQ(Jid::Parse(text), std::nullopt) << text;
  }
}

TEST(Jid, DetectsOnlyKnownServers) {
  EXPECT_TRUE(Jid::Detect("1@s.whatsapp.net").has_value());
  EXPECT_TRUE(Jid::Detect("@g.us").has_value());
  EXPECT_EQ(Jid::Detect("maria@example.org"), std::nullopt);
}

TEST(Jid, DropsTheDeviceOfAnAccount) {
  EXPECT_EQ(Jid::Parse("1.2:3@s.whatsapp.net")->WithoutDevice().ToString(), "1@s.whatsapp.net");
}

TEST(Jid, KnowsTheServerLidsAndGroups) {
  EXPECT_TRUE(Jid::Server().IsServer());
  EXPECT_FALSE(Jid::Parse("1@s.whatsapp.net")->IsServer());
  EXPECT_TRUE(Jid::Parse("1@hosted.lid")->IsLid());
  EXPECT_TRUE(Jid::Parse("1@g.us")->IsGroup());
}

TEST(Jid, ReadsWhatItHasWrittenAsTheSame) {
  for (const char* text : {"1:0:0@s.whatsapp.net", "1:5:0@lid", "1:0:5@lid", ":0:0@s.whatsapp.net",
                           "1:0.7:0@s.whatsapp.net", "a:0:x:0@g.us", "1:0:0:0:0@unknown"}) {
    const auto jid = Jid::Parse(text);
    ASSERT_TRUE(jid.has_value()) << text;
    EXPECT_EQ(Jid::Parse(jid->ToString()), jid) << text;
  }
}

}  // namespace
}  // namespace medidesk::gateway::wa
