// Conversations with another implementation of Signal, byte for byte: what it sent, and what ours must answer when its
// randomness is the one of the vectors.
#include <gmock/gmock.h>

#include <deque>

#include "gateway/wa/pre_keys.h"
#include "gateway/wa/signal/signal_sessions.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::HexMember;
using testing::KeyMember;
using testing::ReadVectors;
using testing::Text;
using testing::Unhex;

// "222222222222222_1", 3 -> 222222222222222:3@lid
Jid JidOf(const boost::json::value& address) {
  std::string name = Text(address, "name");
  const bool lid = name.ends_with("_1");
  if (lid) name.resize(name.size() - 2);
  return {.user = name,
          .server = std::string(lid ? kLidServer : kUserServer),
          .device = static_cast<std::uint16_t>(address.at("device_id").as_int64())};
}

// Entropy out of the vectors' "random": one element for each call, of exactly the size that is asked for.
class VectorEntropy {
 public:
  void Feed(const boost::json::value& step) {
    const auto* random = step.as_object().if_contains("random");
    if (random == nullptr) return;
    for (const auto& element : random->as_array()) queue_->push_back(Unhex(std::string(element.as_string())));
  }
  Entropy entropy() const {
    return [queue = queue_](std::span<std::uint8_t> out) {
      ASSERT_FALSE(queue->empty());
      ASSERT_EQ(queue->front().size(), out.size());
      std::copy(queue->front().begin(), queue->front().end(), out.begin());
      queue->pop_front();
    };
  }

 private:
  std::shared_ptr<std::deque<Bytes>> queue_ = std::make_shared<std::deque<Bytes>>();
};

DecryptOutcome OutcomeOf(std::int64_t code) {
  switch (code) {
    case -1001:
      return DecryptOutcome::kDuplicate;
    case -1005:
      return DecryptOutcome::kBadMac;
    default:
      return DecryptOutcome::kInternalError;
  }
}

class Side {
 public:
  explicit Side(const boost::json::value& local)
      : signal_(workspace, KeyPair::Of(KeyMember(local, "identity_private")),
                static_cast<std::uint32_t>(local.at("registration_id").as_int64()), random.entropy()) {
    if (!local.as_object().contains("prekeys")) return;
    for (const auto& key : local.at("prekeys").as_array()) {
      ids.push_back(static_cast<std::uint32_t>(key.at("id").as_int64()));
      Put(PreKey{.id = ids.back(), .pair = KeyPair::Of(KeyMember(key, "private"))}.ToRecord());
    }
    const auto& signed_key = local.at("signed_prekey");
    SignedPreKey key{.id = static_cast<std::uint32_t>(signed_key.at("id").as_int64()),
                     .pair = KeyPair::Of(KeyMember(signed_key, "private"))};
    const Bytes signature = HexMember(signed_key, "signature");
    std::copy(signature.begin(), signature.end(), key.signature.begin());
    Put(SignedPreKeyRecord(key, {}));
  }

  // Runs an operation as the message layer does: what is missing is loaded as absent, then again.
  template <class Function>
  auto Run(Function&& function) {
    for (;;) {
      workspace.Begin();
      auto result = function(signal_);
      const auto missing = workspace.TakeMissing();
      if (missing.empty()) {
        workspace.Keep();
        return result;
      }
      workspace.Rollback();
      workspace.Load(missing, {});
    }
  }

  // The records that an operation with this peer may change.
  std::vector<std::optional<Bytes>> Snapshot(const Jid& peer) {
    std::vector<std::optional<Bytes>> all;
    const auto add = [&](const RecordName& name) {
      const Bytes* found = workspace.Get(name);
      all.push_back(found == nullptr ? std::nullopt : std::optional(*found));
    };
    add(SignalSessions::SessionName(peer));
    add(SignalSessions::IdentityName(peer));
    for (const std::uint32_t id : ids) add(PreKeyName(id));
    return all;
  }
  std::vector<std::int64_t> PreKeysLeft() {
    std::vector<std::int64_t> left;
    for (const std::uint32_t id : ids) {
      if (workspace.Get(PreKeyName(id)) != nullptr) left.push_back(id);
    }
    return left;
  }

  Workspace workspace;
  VectorEntropy random;
  std::vector<std::uint32_t> ids;

 private:
  void Put(Record record) {
    const RecordName name = record.name;
    std::vector<Record> found;
    found.push_back(std::move(record));
    workspace.Load({&name, 1}, std::move(found));
  }

  SignalSessions signal_;
};

PreKeyBundle BundleOf(const boost::json::value& json) {
  const auto number = [](const boost::json::value& object, const char* member) {
    return static_cast<std::uint32_t>(object.at(member).as_int64());
  };
  PreKeyBundle bundle{.registration_id = number(json, "registration_id"), .identity = KeyMember(json, "identity")};
  const auto& signed_key = json.at("signed_prekey");
  bundle.signed_pre_key_id = number(signed_key, "id");
  bundle.signed_pre_key = KeyMember(signed_key, "public");
  const Bytes signature = HexMember(signed_key, "signature");
  std::copy(signature.begin(), signature.end(), bundle.signature.begin());
  if (const auto* key = json.as_object().if_contains("prekey"); key != nullptr && key->is_object()) {
    bundle.one_time = {.id = number(*key, "id"), .key = KeyMember(*key, "public")};
  }
  return bundle;
}

void CheckDecrypt(Side& side, const Jid& peer, const boost::json::value& step) {
  const bool pre_key = Text(step, "type") == "pkmsg";
  const Bytes ciphertext = HexMember(step, "ciphertext");
  const auto before = side.Snapshot(peer);
  const Decrypted result = side.Run([&](SignalSessions& signal) { return signal.Decrypt(peer, pre_key, ciphertext); });
  if (const auto* error = step.as_object().if_contains("expect_error")) {
    EXPECT_EQ(result.outcome, OutcomeOf(error->as_int64()));
    EXPECT_EQ(side.Snapshot(peer), before) << "a failure must change nothing";
  } else {
    EXPECT_EQ(result.outcome, DecryptOutcome::kDecrypted);
    EXPECT_EQ(result.plaintext, HexMember(step, "plaintext"));
  }
  std::vector<std::int64_t> left;
  for (const auto& id : step.at("prekeys_left").as_array()) left.push_back(id.as_int64());
  EXPECT_THAT(side.PreKeysLeft(), ::testing::UnorderedElementsAreArray(left));
}

void CheckEncrypt(Side& side, const Jid& peer, const boost::json::value& step) {
  const Bytes plaintext = HexMember(step, "plaintext");
  const auto result = side.Run([&](SignalSessions& signal) { return signal.Encrypt(peer, plaintext); });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->bytes, HexMember(step, "expect_ciphertext"));
  EXPECT_EQ(result->pre_key ? "pkmsg" : "msg", Text(step, "expect_type"));
}

void CheckBundle(Side& side, const Jid& peer, const boost::json::value& step) {
  const PreKeyBundle bundle = BundleOf(step.at("bundle"));
  const auto before = side.Snapshot(peer);
  const absl::Status status = side.Run([&](SignalSessions& signal) { return signal.StartSession(peer, bundle); });
  if (step.as_object().contains("expect_error")) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(side.Snapshot(peer), before);
  } else {
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(SignalVectors, HoldSessionsToTheOtherImplementation) {
  const boost::json::value vectors = ReadVectors("signal-session.json");
  for (const auto& one : vectors.at("cases").as_array()) {
    SCOPED_TRACE(Text(one, "name"));
    Side side(one.at("local"));
    const Jid peer = JidOf(one.at("remote"));
    int number = 0;
    for (const auto& step : one.at("steps").as_array()) {
      SCOPED_TRACE("step " + std::to_string(number++));
      side.random.Feed(step);
      const std::string op = Text(step, "op");
      if (op == "decrypt") CheckDecrypt(side, peer, step);
      if (op == "encrypt") CheckEncrypt(side, peer, step);
      if (op == "process_bundle") CheckBundle(side, peer, step);
    }
    EXPECT_GT(number, 2);
  }
}

TEST(SignalVectors, HoldGroupsToTheOtherImplementation) {
  const boost::json::value vectors = ReadVectors("signal-group.json");
  for (const auto& one : vectors.at("cases").as_array()) {
    SCOPED_TRACE(Text(one, "name"));
    Side side(one.at("local"));
    const Jid group = *Jid::Parse(Text(one, "group_id"));
    const Jid own = JidOf(one.at("local").at("address"));
    Jid author;
    for (const auto& step : one.at("inbound_steps").as_array()) {
      if (Text(step, "op") == "process_skdm") {
        author = JidOf(step.at("author"));
        const Bytes message = HexMember(step, "axolotl_sender_key_distribution_message");
        EXPECT_TRUE(
            side.Run([&](SignalSessions& signal) { return signal.InstallSenderKey(group, author, message); }).ok());
        continue;
      }
      const Bytes message = HexMember(step, "ciphertext");
      const Decrypted result =
          side.Run([&](SignalSessions& signal) { return signal.DecryptGroup(group, author, message); });
      if (const auto* error = step.as_object().if_contains("expect_error")) {
        EXPECT_EQ(result.outcome, OutcomeOf(error->as_int64()));
      } else {
        EXPECT_EQ(result.outcome, DecryptOutcome::kDecrypted);
        EXPECT_EQ(result.plaintext, HexMember(step, "plaintext"));
      }
    }
    for (const auto& step : one.at("outbound_steps").as_array()) {
      side.random.Feed(step);
      if (Text(step, "op") == "create_skdm") {
        const auto message = side.Run([&](SignalSessions& signal) { return signal.MakeSenderKey(group, own); });
        ASSERT_TRUE(message.ok()) << message.status();
        EXPECT_EQ(*message, HexMember(step, "expect_axolotl_sender_key_distribution_message"));
        continue;
      }
      const Bytes plaintext = HexMember(step, "plaintext");
      const auto message = side.Run([&](SignalSessions& signal) { return signal.EncryptGroup(group, own, plaintext); });
      ASSERT_TRUE(message.ok()) << message.status();
      EXPECT_EQ(*message, HexMember(step, "expect_ciphertext"));
    }
  }
}

}  // namespace
}  // namespace medidesk::gateway::wa
