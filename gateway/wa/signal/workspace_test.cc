#include "gateway/wa/signal/workspace.h"

#include <gmock/gmock.h>

namespace medidesk::gateway::wa {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

RecordName Name(const std::string& key) { return {.kind = RecordKind::kSession, .key = key}; }
Bytes Value(std::size_t size, std::uint8_t byte = 1) { return Bytes(size, byte); }

class WorkspaceTest : public ::testing::Test {
 protected:
  void Known(const std::string& key, Bytes value) {
    const RecordName name = Name(key);
    workspace.Load({&name, 1}, {{.name = name, .value = std::move(value)}});
  }
  void Absent(const std::string& key) {
    const RecordName name = Name(key);
    workspace.Load({&name, 1}, {});
  }

  Workspace workspace;
};

TEST_F(WorkspaceTest, TellsWhatIsMissingFromWhatDoesNotExist) {
  Absent("gone");
  workspace.Begin();
  EXPECT_EQ(workspace.Get(Name("a")), nullptr);
  EXPECT_EQ(workspace.Get(Name("gone")), nullptr);
  EXPECT_EQ(workspace.Get(Name("a")), nullptr);
  EXPECT_THAT(workspace.TakeMissing(), ElementsAre(Name("a")));
  EXPECT_THAT(workspace.TakeMissing(), IsEmpty());
}

TEST_F(WorkspaceTest, TakesBackWhatAStepChanged) {
  Known("a", Value(1));
  Absent("b");
  workspace.Begin();
  workspace.Put(Name("a"), Value(2));
  workspace.Put(Name("b"), Value(3));
  workspace.Erase(Name("a"));
  workspace.Rollback();
  EXPECT_EQ(*workspace.Get(Name("a")), Value(1));
  EXPECT_EQ(workspace.Get(Name("b")), nullptr);
  EXPECT_FALSE(workspace.changed());
}

TEST_F(WorkspaceTest, HandsEachChangeOutOnce) {
  Known("a", Value(1));
  Known("b", Value(1));
  Known("c", Value(1));
  workspace.Begin();
  workspace.Put(Name("a"), Value(2));
  workspace.Erase(Name("b"));
  workspace.Put(Name("c"), Value(1));  // as it was
  workspace.Keep();
  const RecordChanges changes = workspace.TakeChanges(1);
  EXPECT_THAT(changes.puts, ElementsAre(Record{.name = Name("a"), .value = Value(2)}));
  EXPECT_THAT(changes.deletes, ElementsAre(Name("b")));
  EXPECT_THAT(workspace.TakeChanges(2).puts, IsEmpty());
}

TEST_F(WorkspaceTest, DeletesWhatItHasNotLookedAt) {
  workspace.Begin();
  workspace.Erase(Name("a"));
  workspace.Rollback();
  EXPECT_FALSE(workspace.Knows(Name("a")));
  workspace.Begin();
  workspace.Erase(Name("a"));
  workspace.Keep();
  EXPECT_THAT(workspace.TakeChanges(1).deletes, ElementsAre(Name("a")));
}

TEST_F(WorkspaceTest, KeepsTheNewestOfTwoStepsInOneCommit) {
  Absent("a");
  for (const std::size_t size : {2, 3}) {
    workspace.Begin();
    workspace.Put(Name("a"), Value(size));
    workspace.Keep();
  }
  EXPECT_THAT(workspace.TakeChanges(1).puts, ElementsAre(Record{.name = Name("a"), .value = Value(3)}));
}

TEST_F(WorkspaceTest, DoesNotLetALateAnswerOverwriteAChange) {
  Absent("a");
  workspace.Begin();
  workspace.Put(Name("a"), Value(2));
  workspace.Keep();
  Known("a", Value(1));
  EXPECT_EQ(*workspace.Get(Name("a")), Value(2));
}

TEST_F(WorkspaceTest, LetsOldRecordsGoButNoneThatIsNotStored) {
  Workspace small(4'000);
  workspace = std::move(small);
  Absent("changed");
  workspace.Begin();
  workspace.Put(Name("changed"), Value(100));
  workspace.Keep();
  for (int i = 0; i < 20; ++i) Known(std::to_string(i), Value(300));
  workspace.Trim();
  EXPECT_LE(workspace.bytes(), 3'000u);
  EXPECT_FALSE(workspace.Knows(Name("0")));
  EXPECT_TRUE(workspace.Knows(Name("19")));
  EXPECT_TRUE(workspace.Knows(Name("changed")));
  workspace.TakeChanges(7);
  for (int i = 20; i < 40; ++i) Known(std::to_string(i), Value(300));
  workspace.Trim();
  EXPECT_TRUE(workspace.Knows(Name("changed"))) << "taken, but not stored yet";
  workspace.OnCommitted(7);
  for (int i = 40; i < 60; ++i) Known(std::to_string(i), Value(300));
  workspace.Trim();
  EXPECT_FALSE(workspace.Knows(Name("changed")));
}

TEST_F(WorkspaceTest, AsksForNoRecordOfAKindThatItHoldsWhole) {
  Known("a", Value(1));
  workspace.SetWhole(Name("a").kind);
  workspace.Begin();
  EXPECT_EQ(*workspace.Get(Name("a")), Value(1));
  EXPECT_EQ(workspace.Get(Name("b")), nullptr);
  EXPECT_TRUE(workspace.Knows(Name("b")));
  EXPECT_TRUE(workspace.TakeMissing().empty());
  workspace.Put(Name("b"), Value(2));
  workspace.Keep();
  EXPECT_THAT(workspace.TakeChanges(1).puts, ElementsAre(Record{.name = Name("b"), .value = Value(2)}));
}

TEST_F(WorkspaceTest, HoldsNoKindWholeOfWhichItHasLetRecordsGo) {
  Workspace small(4'000);
  workspace = std::move(small);
  workspace.SetWhole(Name("0").kind);
  for (int i = 0; i < 5; ++i) Known(std::to_string(i), Value(300));
  workspace.Trim();
  EXPECT_EQ(workspace.let_go(), 0u);
  for (int i = 5; i < 20; ++i) Known(std::to_string(i), Value(300));
  workspace.Trim();
  EXPECT_GT(workspace.let_go(), 0u);
  workspace.Begin();
  EXPECT_EQ(workspace.Get(Name("0")), nullptr);
  EXPECT_EQ(workspace.TakeMissing().size(), 1u);
}

TEST_F(WorkspaceTest, LetsWhatIsPutAwayGoWhenItIsStored) {
  workspace.Begin();
  workspace.PutAway(Name("a"), Value(2));
  workspace.Keep();
  EXPECT_TRUE(workspace.Knows(Name("a")));
  EXPECT_THAT(workspace.TakeChanges(1).puts, ElementsAre(Record{.name = Name("a"), .value = Value(2)}));
  workspace.OnCommitted(1);
  EXPECT_FALSE(workspace.Knows(Name("a")));
  EXPECT_EQ(workspace.bytes(), 0u);
}

}  // namespace
}  // namespace medidesk::gateway::wa
