#include "base/rpc/log_form.h"

#include <google/protobuf/timestamp.pb.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rpc/testing/echo.pb.h"

namespace medidesk::rpc::testing {
namespace {

TEST(LogForm, KeepsWhatIsPublicAndRedactsTheRest) {
  EchoRequest request;
  request.set_id("6f1c");
  request.set_text("I have a pain in my chest");
  request.set_act(ACT_WAIT);
  request.set_unmarked("forgotten");
  request.set_secret("key");
  EXPECT_EQ(LogForm(request),
            "message={id=\"6f1c\" text=<redacted> act=ACT_WAIT unmarked=<redacted> secret=<redacted>}");
}

TEST(LogForm, EntersPublicMessagesOnly) {
  EchoRequest request;
  request.mutable_detail()->set_id("1");
  request.mutable_detail()->set_name("Ada");
  request.add_details()->set_name("Bob");
  request.add_numbers(4);
  request.add_numbers(5);
  request.mutable_hidden()->set_id("2");
  (*request.mutable_counts())["a"] = 3;
  EXPECT_EQ(LogForm(request),
            "message={detail={id=\"1\" name=<redacted>} details=[{name=<redacted>}] numbers=[4 5] hidden=<redacted> "
            "counts=[{key=\"a\" value=3}]}");
}

TEST(LogForm, SaysNothingOfAnEmptyMessage) { EXPECT_EQ(LogForm(EchoRequest()), "message={}"); }

TEST(LogForm, HidesUnknownFieldsAndForeignTypes) {
  EchoRequest request;
  ASSERT_TRUE(request.ParseFromString("\xfa\x3f\x06hidden"));
  EXPECT_EQ(LogForm(request), "message={}");
}

TEST(LogForm, EscapesControlCharactersAndKeepsLetters) {
  EchoRequest request;
  request.set_id("a\nb\"c\xC3\xA9");
  EXPECT_EQ(LogForm(request), "message={id=\"a\\nb\\\"c\xC3\xA9\"}");
}

TEST(LogForm, PrintsTimes) {
  google::protobuf::Timestamp time;
  time.set_seconds(0);
  EXPECT_EQ(LogForm(time), "message=1970-01-01T00:00:00Z");
  time.set_seconds(INT64_MAX);
  EXPECT_EQ(LogForm(time), "message=<invalid>");
}

TEST(LogForm, BoundsItsOutput) {
  EchoRequest request;
  request.set_id(std::string(1000, 'x'));
  EXPECT_EQ(LogForm(request), "message={id=\"" + std::string(64, 'x') + "...\"}");
  for (int i = 0; i < 1000; ++i) request.add_numbers(i);
  request.set_ratio(std::nan(""));
  EXPECT_EQ(LogForm(request),
            "message={id=\"" + std::string(64, 'x') + "...\" numbers=[0 1 2 3 4 5 6 7 ... 1000 in all] ratio=nan}");
  EXPECT_EQ(LogForm(request, 10), "message={id=\"xxxxx...}");
  for (int i = 0; i < 1000; ++i) request.add_details()->set_id(std::string(60, 'y'));
  EXPECT_LE(LogForm(request).size(), 1024u + 20u);
}

TEST(LogForm, CutsBetweenCharacters) {
  EchoRequest request;
  for (int i = 0; i < 40; ++i) *request.mutable_id() += "\xE0\xA4\xA8";
  for (std::size_t limit = 0; limit < 80; ++limit) {
    const std::string form = LogForm(request, limit);
    EchoRequest check;  // a string field refuses broken UTF-8
    check.set_id(form);
    EXPECT_TRUE(EchoRequest().ParseFromString(check.SerializeAsString())) << limit;
  }
}

}  // namespace
}  // namespace medidesk::rpc::testing
