#include "gateway/wa/iq.h"

#include <gtest/gtest.h>

#include "gateway/wa/iq_account.h"
#include "gateway/wa/iq_ping.h"
#include "gateway/wa/iq_pre_keys.h"
#include "gateway/wa/testing/sample_device.h"

namespace medidesk::gateway::wa {
namespace {

using std::chrono::seconds;

constexpr Time kStart{std::chrono::hours(1000)};

Node Result(const Node& request, Nodes children = {}) {
  Node answer{"iq", {{"from", Jid::Server()}, {"type", "result"}, {"id", request.Attr("id")}}, {}};
  if (!children.empty()) answer.content = std::move(children);
  return answer;
}
Node ErrorAnswer(const Node& request, const char* code) {
  return {"iq",
          {{"from", Jid::Server()}, {"type", "error"}, {"id", request.Attr("id")}},
          Nodes{{"error", {{"code", code}, {"text", "x"}}, {}}}};
}

TEST(IqTracker, GivesEachRequestItsAnswer) {
  IqTracker tracker("77.88-");
  std::vector<std::uint64_t> counts;
  const auto keep = [&](absl::StatusOr<std::uint64_t> count) { counts.push_back(count.value()); };
  const Node first = *tracker.Ask(PreKeyCountRequest{}, kStart, keep);
  const Node second = *tracker.Ask(PreKeyCountRequest{}, kStart, keep);
  EXPECT_EQ(first, (Node{"iq",
                         {{"id", "77.88-1"}, {"to", Jid::Server()}, {"type", "get"}, {"xmlns", "encrypt"}},
                         Nodes{{"count", {}, {}}}}));
  EXPECT_EQ(second.Attr("id"), "77.88-2");
  EXPECT_TRUE(tracker.OnAnswer(Result(second, {{"count", {{"value", "5"}}, {}}})));
  EXPECT_TRUE(tracker.OnAnswer(Result(first, {{"count", {{"value", "x"}}, {}}})));
  EXPECT_EQ(counts, (std::vector<std::uint64_t>{5, 0}));
  EXPECT_FALSE(tracker.OnAnswer(Result(first)));
  EXPECT_EQ(tracker.next_deadline(), std::nullopt);
}

TEST(IqTracker, IgnoresWhatIsNoAnswer) {
  IqTracker tracker("a-");
  int calls = 0;
  const Node request = *tracker.Ask(PingRequest{}, kStart, [&](auto) { ++calls; });
  EXPECT_FALSE(tracker.OnAnswer(Node{"iq", {{"id", request.Attr("id")}, {"type", "get"}}, {}}));
  EXPECT_FALSE(tracker.OnAnswer(Node{"message", {{"id", request.Attr("id")}, {"type", "result"}}, {}}));
  EXPECT_FALSE(tracker.OnAnswer(Node{"iq", {{"id", "other"}, {"type", "result"}}, {}}));
  EXPECT_EQ(calls, 0);
}

TEST(IqTracker, TellsRefusalsApart) {
  const std::pair<const char*, absl::StatusCode> cases[] = {
      {"404", absl::StatusCode::kNotFound},           {"401", absl::StatusCode::kPermissionDenied},
      {"429", absl::StatusCode::kResourceExhausted},  {"503", absl::StatusCode::kUnavailable},
      {"400", absl::StatusCode::kFailedPrecondition}, {"", absl::StatusCode::kFailedPrecondition},
  };
  for (const auto& [code, expected] : cases) {
    IqTracker tracker("a-");
    absl::Status status;
    const Node request = *tracker.Ask(PingRequest{}, kStart, [&](auto answer) { status = answer.status(); });
    EXPECT_TRUE(tracker.OnAnswer(ErrorAnswer(request, code)));
    EXPECT_EQ(status.code(), expected) << code;
    EXPECT_EQ(IqErrorCode(status), *code == 0 ? 0 : std::atoi(code));
  }
  EXPECT_EQ(IqErrorCode(absl::OkStatus()), 0);
}

TEST(IqTracker, EndsWhatIsNotAnsweredInTime) {
  IqTracker tracker("a-");
  absl::Status slow;
  absl::Status fast;
  tracker.Ask(PingRequest{}, kStart, [&](auto answer) { slow = answer.status(); });
  tracker.Ask(
      PingRequest{}, kStart, [&](auto answer) { fast = answer.status(); }, seconds(10));
  EXPECT_EQ(tracker.next_deadline(), kStart + seconds(10));
  tracker.OnTime(kStart + seconds(10));
  EXPECT_EQ(fast.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(slow.ok());
  EXPECT_EQ(tracker.next_deadline(), kStart + seconds(75));
  tracker.FailAll(absl::UnavailableError("gone"));
  EXPECT_EQ(slow.code(), absl::StatusCode::kUnavailable);
}

TEST(IqTracker, MayBeAskedFromWithinAnAnswer) {
  IqTracker tracker("a-");
  int done = 0;
  const auto again = [&](auto) { tracker.Ask(PingRequest{}, kStart, [&](auto) { ++done; }); };
  const Node request = *tracker.Ask(PingRequest{}, kStart, again);
  tracker.OnAnswer(Result(request));
  tracker.FailAll(absl::UnavailableError("gone"));
  EXPECT_EQ(done, 1);
}

TEST(IqTracker, HoldsABoundedNumber) {
  IqTracker tracker("a-");
  for (std::size_t i = 0; i < IqTracker::kMaxPending; ++i) {
    EXPECT_TRUE(tracker.Ask(PingRequest{}, kStart, [](auto) {}).has_value());
  }
  EXPECT_FALSE(tracker.Ask(PingRequest{}, kStart, [](auto) {}).has_value());
}

TEST(PingAnswer, AnswersTheServersPingInBothForms) {
  const Node with_id{"iq",
                     {{"from", Jid::Server()}, {"type", "get"}, {"xmlns", "urn:xmpp:ping"}, {"id", "5"}},
                     Nodes{{"ping", {}, {}}}};
  EXPECT_EQ(PingAnswer(with_id), (Node{"iq", {{"to", Jid::Server()}, {"type", "result"}, {"id", "5"}}, {}}));
  const Node without{"iq", {{"from", "s.whatsapp.net"}, {"type", "get"}, {"xmlns", "urn:xmpp:ping"}}, {}};
  EXPECT_EQ(PingAnswer(without), (Node{"iq", {{"to", Jid::Server()}, {"type", "result"}}, {}}));
  EXPECT_EQ(PingAnswer(Node{"iq", {{"type", "get"}, {"xmlns", "md"}}, {}}), std::nullopt);
}

TEST(PreKeyUpload, HasTheKeysInTheOrderOfTheWire) {
  const DeviceCredentials device = testing::SampleDevice();
  const auto keys = GeneratePreKeys(1, 2, testing::ScriptedEntropy());
  const Node iq = PreKeyUploadRequest{0x93, device.identity.public_key, device.signed_pre_key, keys}.Build("1");
  ASSERT_EQ(iq.Children().size(), 5u);
  EXPECT_EQ(ToBytes(iq.Child("registration")->ContentBytes()), (Bytes{0, 0, 0, 0x93}));
  EXPECT_EQ(ToBytes(iq.Child("type")->ContentBytes()), Bytes{5});
  EXPECT_EQ(iq.Child("identity")->ContentBytes().size(), 32u);
  const auto listed = iq.Child("list")->Children();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(ToBytes(listed[1].Child("id")->ContentBytes()), (Bytes{0, 0, 2}));
  EXPECT_EQ(listed[1].Child("value")->ContentText(), AsText(keys[1].pair.public_key));
  EXPECT_EQ(ToBytes(iq.Child("skey")->Child("id")->ContentBytes()), (Bytes{0, 0, 1}));
  EXPECT_EQ(iq.Child("skey")->Child("signature")->ContentBytes().size(), 64u);
  EXPECT_EQ(iq.Children()[4].tag, "skey");
}

TEST(PreKeyDigest, ReadsWhatTheServerHolds) {
  const Node answer{"iq",
                    {{"type", "result"}},
                    Nodes{{"digest",
                           {},
                           Nodes{{"registration", {}, Bytes{0, 0, 0, 0x93}},
                                 {"identity", {}, Bytes(32, 7)},
                                 {"skey", {}, Nodes{{"id", {}, Bytes{0, 0, 1}}}},
                                 {"list", {}, Nodes{{"id", {}, Bytes{0, 0, 1}}, {"id", {}, Bytes{1, 0, 0}}}}}}}};
  const auto digest = PreKeyDigestRequest::Parse(answer).value();
  EXPECT_EQ(digest.registration_id, 0x93u);
  EXPECT_EQ(digest.identity, Bytes(32, 7));
  EXPECT_EQ(digest.signed_pre_key_id, 1u);
  EXPECT_EQ(digest.pre_key_ids, (std::vector<std::uint32_t>{1, 65536}));
  EXPECT_FALSE(PreKeyDigestRequest::Parse(Node{"iq", {}, {}}).ok());
}

TEST(AccountRequests, ReadTheirLists) {
  const Node props{"iq",
                   {},
                   Nodes{{"props",
                          {},
                          Nodes{{"prop", {{"config_code", "10518"}, {"config_value", "1"}}, {}},
                                {"prop", {{"name", "x"}, {"value", "2"}}, {}},
                                {"prop", {}, {}}}}}};
  EXPECT_EQ(ServerPropsRequest::Parse(props).value(), (std::map<std::string, std::string>{{"10518", "1"}, {"x", "2"}}));
  const Node privacy{"iq", {}, Nodes{{"privacy", {}, Nodes{{"category", {{"name", "last"}, {"value", "all"}}, {}}}}}};
  EXPECT_EQ(PrivacyRequest::Parse(privacy).value(), (std::map<std::string, std::string>{{"last", "all"}}));
  const Node blocked{"iq", {}, Nodes{{"list", {}, Nodes{{"item", {{"jid", *Jid::Parse("1@lid")}}, {}}}}}};
  EXPECT_EQ(BlocklistRequest::Parse(blocked).value(), std::vector<std::string>{"1@lid"});
  EXPECT_TRUE(BlocklistRequest::Parse(Node{"iq", {}, {}}).value().empty());
}

}  // namespace
}  // namespace medidesk::gateway::wa
