#include "gateway/journal/journal_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/status.h"

namespace medidesk::gateway {
namespace {

namespace fs = std::filesystem;
using wa::Bytes;

constexpr char kOldKey[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
constexpr char kNewKey[] = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=";
constexpr char kNumber[] = "018f3c5e-0000-7000-8000-000000000001";

std::shared_ptr<const SealingKeys> Keys(const std::string& keys) {
  return std::make_shared<const SealingKeys>(SealingKeys::Parse(keys, SystemEntropy()).value());
}

class JournalFileTest : public ::testing::Test {
 protected:
  JournalFileTest() {
    std::string form = (fs::temp_directory_path() / "medidesk-journal-XXXXXX").string();
    folder_ = ::mkdtemp(form.data());
  }
  ~JournalFileTest() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "number").string(); }
  JournalFile Open(const std::string& keys = kOldKey, const std::string& number = kNumber,
                   std::size_t max = JournalFile::kMaxBytes) const {
    return JournalFile(path(), number, Keys(keys), max);
  }
  Bytes Content() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void Write(wa::ByteView bytes) const {
    std::ofstream out(path(), std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  const Bytes one_ = wa::ToBytes("the first"), two_ = wa::ToBytes("the second, longer"), three_ = {};
  fs::path folder_;
};

TEST_F(JournalFileTest, GivesBackWhatAnEarlierProcessAppended) {
  {
    JournalFile journal = Open();
    EXPECT_TRUE(journal.Append({one_, two_}).ok());
    EXPECT_TRUE(journal.Append({}).ok());
    EXPECT_TRUE(journal.Append({three_}).ok());
  }
  EXPECT_EQ(Open().Read().value(), (std::vector<Bytes>{one_, two_, three_}));
  EXPECT_EQ(Open().Read()->size(), 3u);  // reading takes nothing away
}

TEST_F(JournalFileTest, IsEmptyWhereNothingWasWritten) { EXPECT_TRUE(Open().Read().value().empty()); }

TEST_F(JournalFileTest, KeepsWordsAndKeysUnreadableOnTheDisk) {
  ASSERT_TRUE(Open().Append({one_}).ok());
  EXPECT_EQ(wa::AsText(Content()).find("the first"), std::string_view::npos);
  struct stat about {};
  ASSERT_EQ(::stat(path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

TEST_F(JournalFileTest, TakesATornEndAsNotWrittenAtEveryByte) {
  ASSERT_TRUE(Open().Append({one_, two_}).ok());
  const Bytes whole = Content();
  const std::size_t record = 4 + SealingKeys::kOverhead;
  const std::size_t first = 12 + record + one_.size();
  ASSERT_EQ(whole.size(), first + record + two_.size());
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    Write(wa::ByteView(whole).first(cut));
    const auto records = Open().Read();
    ASSERT_TRUE(records.ok()) << cut;
    EXPECT_EQ(*records, cut < first ? std::vector<Bytes>() : std::vector<Bytes>{one_}) << cut;
  }
}

TEST_F(JournalFileTest, TakesALastRecordOfZerosAsNotWritten) {
  ASSERT_TRUE(Open().Append({one_, two_}).ok());
  Bytes whole = Content();
  std::fill(whole.end() - static_cast<std::ptrdiff_t>(two_.size()), whole.end(), 0);
  Write(whole);
  EXPECT_EQ(Open().Read().value(), std::vector<Bytes>{one_});
}

TEST_F(JournalFileTest, RefusesDamageBeforeTheEnd) {
  ASSERT_TRUE(Open().Append({one_, two_}).ok());
  const Bytes whole = Content();
  const std::size_t first = 12 + 4 + SealingKeys::kOverhead + one_.size();
  for (std::size_t at = 12 + 4 + 1 + 4; at < first; ++at) {  // behind the form and the key's id
    Bytes spoilt = whole;
    spoilt[at] ^= 0x40;
    Write(spoilt);
    EXPECT_EQ(Open().Read().status().code(), absl::StatusCode::kDataLoss) << at;
  }
  Write(wa::AsBytes("something else entirely"));
  EXPECT_EQ(Open().Read().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(JournalFileTest, RefusesRecordsOfAnotherFileOrPlace) {
  ASSERT_TRUE(Open().Append({one_, one_, one_}).ok());
  Bytes whole = Content();
  const std::size_t record = 4 + SealingKeys::kOverhead + one_.size();
  Bytes without_first = whole;
  without_first.erase(without_first.begin() + 12, without_first.begin() + 12 + static_cast<std::ptrdiff_t>(record));
  Write(without_first);
  EXPECT_EQ(Open().Read().status().code(), absl::StatusCode::kDataLoss);
  whole[4] ^= 1;  // the generation
  Write(whole);
  EXPECT_EQ(Open().Read().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(JournalFileTest, OpensForItsNumberAlone) {
  ASSERT_TRUE(Open().Append({one_, two_}).ok());
  EXPECT_EQ(Open(kOldKey, "018f3c5e-0000-7000-8000-000000000002").Read().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(JournalFileTest, SaysThatTheKeyIsAnotherOne) {
  ASSERT_TRUE(Open().Append({one_}).ok());
  const auto read = Open(kNewKey).Read();
  EXPECT_EQ(read.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(Text(read.status()).find("MEDIDESK_MASTER_KEY"), std::string_view::npos);
}

TEST_F(JournalFileTest, IsReadAfterARotationOfTheKey) {
  ASSERT_TRUE(Open().Append({one_, two_}).ok());
  EXPECT_EQ(Open(std::string(kNewKey) + "," + kOldKey).Read().value(), (std::vector<Bytes>{one_, two_}));
}

TEST_F(JournalFileTest, IsGoneAfterDropAndBeginsAnew) {
  JournalFile journal = Open();
  ASSERT_TRUE(journal.Append({one_}).ok());
  EXPECT_TRUE(journal.Drop().ok());
  EXPECT_FALSE(fs::exists(path()));
  EXPECT_TRUE(journal.Drop().ok());
  ASSERT_TRUE(journal.Append({two_}).ok());
  EXPECT_EQ(Open().Read().value(), std::vector<Bytes>{two_});
}

TEST_F(JournalFileTest, SetsAsideWhatCannotBeRead) {
  ASSERT_TRUE(Open().Append({one_}).ok());
  JournalFile journal = Open(kNewKey);
  EXPECT_TRUE(journal.SetAside().ok());
  EXPECT_TRUE(journal.Read().value().empty());
  EXPECT_TRUE(fs::exists(path() + ".unreadable"));
  ASSERT_TRUE(journal.Append({two_}).ok());
  EXPECT_EQ(Open(kNewKey).Read().value(), std::vector<Bytes>{two_});
}

TEST_F(JournalFileTest, RefusesMoreThanItsBound) {
  JournalFile journal = Open(kOldKey, kNumber, 256);
  ASSERT_TRUE(journal.Append({Bytes(100)}).ok());
  const absl::Status full = journal.Append({Bytes(100)});
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(Text(full).find("journal is full"), std::string_view::npos);
  ASSERT_TRUE(journal.Append({Bytes(10)}).ok());  // a smaller one still fits
  EXPECT_EQ(Open().Read()->size(), 2u);
  EXPECT_EQ(journal.Append({Bytes(JournalFile::kMaxRecord + 1)}).code(), absl::StatusCode::kInvalidArgument);
}

// The kernel refuses to let a file grow, as it does on a full disk.
TEST_F(JournalFileTest, KeepsItsRecordsWhenTheDiskIsFull) {
  JournalFile journal = Open();
  ASSERT_TRUE(journal.Append({one_}).ok());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = Content().size() + 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status full = journal.Append({two_});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(Text(full).find("the disk is full"), std::string_view::npos);
  EXPECT_EQ(Open().Read().value(), std::vector<Bytes>{one_});
  ASSERT_TRUE(journal.Append({two_}).ok());  // there is room again
  EXPECT_EQ(Open().Read().value(), (std::vector<Bytes>{one_, two_}));
}

TEST_F(JournalFileTest, SaysThatItsFolderIsGone) {
  JournalFile journal((folder_ / "absent" / "number").string(), kNumber, Keys(kOldKey));
  EXPECT_EQ(journal.Append({one_}).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(journal.Read().value().empty());
}

}  // namespace
}  // namespace medidesk::gateway
