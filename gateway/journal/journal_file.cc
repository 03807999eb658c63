#include "gateway/journal/journal_file.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/status.h"
#include "gateway/wa/byte_reader.h"
#include "gateway/wa/byte_writer.h"

namespace medidesk::gateway {
namespace {

using wa::Bytes;
using wa::ByteView;

constexpr std::string_view kMagic = "MDJ1";
constexpr std::size_t kGenerationSize = 8, kHeaderSize = 4 + kGenerationSize, kLengthSize = 4;

// No kind of record that a device has: what is sealed here opens nowhere else.
SealedName NameOf(const std::string& number_id, const std::string& generation, std::int64_t place) {
  return {.number_id = number_id,
          .record = {.kind = static_cast<wa::RecordKind>(0), .key = "journal " + generation},
          .revision = place};
}

absl::Status FromErrno(int error, std::string_view what) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  std::string text("the journal under MEDIDESK_VAR cannot be ");
  text += what;
  if (full) text += ": the disk is full";
  return Error(full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable, text);
}

absl::Status WriteAll(int file, ByteView bytes, std::size_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return FromErrno(written < 0 ? errno : ENOSPC, "written");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
  return absl::OkStatus();
}

}  // namespace

JournalFile::JournalFile(std::string path, std::string number_id, std::shared_ptr<const SealingKeys> keys,
                         std::size_t max_bytes)
    : path_(std::move(path)), number_id_(std::move(number_id)), keys_(std::move(keys)), max_bytes_(max_bytes) {}

JournalFile::~JournalFile() { Close(); }

void JournalFile::Close() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
  size_ = 0;
  records_ = 0;
}

absl::Status JournalFile::SyncFolder() const {
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int handle = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return FromErrno(errno, "written");
  const bool synced = ::fsync(handle) == 0;
  const int error = errno;
  ::close(handle);
  return synced ? absl::OkStatus() : FromErrno(error, "written");
}

// A fresh file with its header; on the disk with the first record.
absl::Status JournalFile::Begin() {
  const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return FromErrno(errno, "written");
  std::array<std::uint8_t, kGenerationSize> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) std::abort();
  generation_ = wa::ToString(random);
  Bytes header = wa::ToBytes(kMagic);
  header.insert(header.end(), random.begin(), random.end());
  absl::Status begun = WriteAll(file, header, 0);
  if (begun.ok()) begun = SyncFolder();
  if (!begun.ok()) {
    ::close(file);
    return begun;
  }
  file_ = file;
  size_ = kHeaderSize;
  records_ = 0;
  return absl::OkStatus();
}

absl::Status JournalFile::Append(const std::vector<Bytes>& records) {
  if (records.empty()) return absl::OkStatus();
  std::size_t bytes = 0;
  for (const Bytes& record : records) {
    if (record.size() > kMaxRecord) return Error(absl::StatusCode::kInvalidArgument, "a journal's record is too large");
    bytes += kLengthSize + SealingKeys::kOverhead + record.size();
  }
  if (std::max(size_, kHeaderSize) + bytes > max_bytes_ ||
      static_cast<std::size_t>(records_) + records.size() > kMaxRecords) {
    return Error(absl::StatusCode::kResourceExhausted,
                 "the journal is full: more waits for the store than it may hold; bring the store back");
  }
  if (file_ < 0) MD_RETURN_IF_ERROR(Begin());
  Bytes framed;
  framed.reserve(bytes);
  wa::ByteWriter out(framed);
  std::int64_t place = records_;
  for (const Bytes& record : records) {
    const Bytes sealed = keys_->Seal(NameOf(number_id_, generation_, place++), record);
    out.U32(static_cast<std::uint32_t>(sealed.size()));
    out.Append(sealed);
  }
  absl::Status written = WriteAll(file_, framed, size_);
  if (written.ok() && ::fsync(file_) != 0) written = FromErrno(errno, "written");
  if (!written.ok()) {
    // What is behind `size_` is no record; where it cannot be cut off, the next Append overwrites it.
    while (::ftruncate(file_, static_cast<off_t>(size_)) != 0 && errno == EINTR) {
    }
    return written;
  }
  size_ += framed.size();
  records_ = place;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Bytes>> JournalFile::Read() const {
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0 && errno == ENOENT) return std::vector<Bytes>();
  if (file < 0) return FromErrno(errno, "read");
  struct stat about {};
  Bytes bytes;
  absl::Status read = ::fstat(file, &about) == 0 ? absl::OkStatus() : FromErrno(errno, "read");
  if (read.ok() && static_cast<std::size_t>(about.st_size) > kMaxBytes) {
    read = Error(absl::StatusCode::kDataLoss, "the journal is larger than one may be");
  }
  if (read.ok()) bytes.resize(static_cast<std::size_t>(about.st_size));
  for (std::size_t at = 0; read.ok() && at < bytes.size();) {
    const ssize_t got = ::pread(file, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) read = FromErrno(errno, "read");
    if (got == 0) bytes.resize(at);
    if (got > 0) at += static_cast<std::size_t>(got);
  }
  ::close(file);
  if (!read.ok()) return read;
  return ReadJournal(number_id_, *keys_, bytes);
}

absl::Status JournalFile::Drop() {
  Close();
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return FromErrno(errno, "removed");
  return SyncFolder();
}

absl::Status JournalFile::SetAside() {
  Close();
  const std::string aside = path_ + ".unreadable";
  if (::rename(path_.c_str(), aside.c_str()) != 0 && errno != ENOENT) return FromErrno(errno, "set aside");
  return SyncFolder();
}

absl::StatusOr<std::vector<Bytes>> ReadJournal(const std::string& number_id, const SealingKeys& keys, ByteView bytes) {
  std::vector<Bytes> records;
  wa::ByteReader in(bytes);
  const ByteView magic = in.Take(kMagic.size());
  if (in.failed()) return records;  // torn in the header: nothing was ever appended
  if (wa::AsText(magic) != kMagic) return Error(absl::StatusCode::kDataLoss, "the journal is not one of ours");
  const std::string generation = wa::ToString(in.Take(kGenerationSize));
  while (!in.failed() && in.remaining() > 0) {
    const std::uint32_t length = in.U32();
    const ByteView sealed = in.Take(length);
    if (in.failed()) break;  // torn
    const bool last = in.remaining() == 0;
    if (records.size() >= JournalFile::kMaxRecords) {
      return Error(absl::StatusCode::kDataLoss, "the journal holds more records than one may");
    }
    const auto place = static_cast<std::int64_t>(records.size());
    absl::StatusOr<Bytes> record = keys.Open(NameOf(number_id, generation, place), sealed);
    if (record.ok()) {
      records.push_back(*std::move(record));
    } else if (absl::IsFailedPrecondition(record.status())) {
      return record.status();
    } else if (last) {
      break;  // its length reached the disk, its bytes did not
    } else {
      return Error(absl::StatusCode::kDataLoss, "a record of the journal is damaged, or another number's");
    }
  }
  return records;
}

}  // namespace medidesk::gateway
