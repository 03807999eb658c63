// What a stanza costs on its way to the socket and back: node encoding and decoding, sealing and opening a frame,
// beside a memcpy and OpenSSL's AES-256-GCM of the same bytes.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "gateway/wa/frame_codec.h"
#include "gateway/wa/node_codec.h"
#include "gateway/wa/noise_transport.h"

namespace medidesk::gateway::wa {
namespace {

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const Key32 kClient = {1};
const Key32 kServer = {2};

// A message as it comes in: addresses, numbers, words, and `size` bytes of ciphertext.
Node Message(std::size_t size) {
  return Node{"message",
              {{"from", Jid{.user = "222222222222222", .server = "lid", .device = 3}},
               {"type", "text"},
               {"id", "3EB0C431C26A1D0F9B7E"},
               {"t", "1750000001"},
               {"participant", Jid{.user = "15550001111", .server = "s.whatsapp.net", .device = 12}},
               {"notify", "A name"}},
              Nodes{Node{"enc", {{"v", "2"}, {"type", "msg"}}, Bytes(size, 0x5A)}}};
}

void SetBytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

void EncodeANode(benchmark::State& state) {
  const Node node = Message(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(EncodeNode(node));
  SetBytes(state, EncodeNode(node)->size());
}
BENCHMARK(EncodeANode)->Arg(256)->Arg(4096)->Arg(65536);

void DecodeANode(benchmark::State& state) {
  const Bytes bytes = *EncodeNode(Message(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(DecodeNode(bytes));
  SetBytes(state, bytes.size());
}
BENCHMARK(DecodeANode)->Arg(256)->Arg(4096)->Arg(65536);

void SealAFrame(benchmark::State& state) {
  const Bytes plaintext(static_cast<std::size_t>(state.range(0)), 0x5A);
  NoiseTransport client(kClient, kServer);
  Bytes out;
  for (auto _ : state) {
    out.clear();
    if (!client.SealFrame(plaintext, out).ok()) return state.SkipWithError("not sealed");
    benchmark::DoNotOptimize(out.data());
  }
  SetBytes(state, plaintext.size());
}
BENCHMARK(SealAFrame)->Arg(256)->Arg(4096)->Arg(65536);

// From the socket's bytes to the plaintext: cutting and opening. Each frame is opened once, so they are sealed
// beforehand.
void OpenAFrame(benchmark::State& state) {
  const Bytes plaintext(static_cast<std::size_t>(state.range(0)), 0x5A);
  constexpr std::size_t kBatch = 256;
  NoiseTransport client(kClient, kServer);
  NoiseTransport server(kServer, kClient);
  FrameDecoder decoder;
  std::vector<Bytes> frames;
  std::size_t next = 0;
  for (auto _ : state) {
    if (next == frames.size()) {
      state.PauseTiming();
      frames.assign(kBatch, {});
      for (Bytes& frame : frames) {
        if (!client.SealFrame(plaintext, frame).ok()) return state.SkipWithError("not sealed");
      }
      next = 0;
      state.ResumeTiming();
    }
    decoder.Feed(frames[next++]);
    const auto payload = decoder.Next();
    auto opened = server.OpenFrame(**payload);
    if (!opened.ok()) return state.SkipWithError("not opened");
    benchmark::DoNotOptimize(opened->data());
  }
  SetBytes(state, plaintext.size());
}
BENCHMARK(OpenAFrame)->Arg(256)->Arg(4096)->Arg(65536);

void Memcpy(benchmark::State& state) {
  const Bytes from(static_cast<std::size_t>(state.range(0)), 0x5A);
  Bytes to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
  SetBytes(state, from.size());
}
BENCHMARK(Memcpy)->Arg(256)->Arg(4096)->Arg(65536);

// The least that sealing can cost: the key's schedule is kept, the nonce is new, the buffers are there.
void OpenSslGcm(benchmark::State& state) {
  const Bytes plaintext(static_cast<std::size_t>(state.range(0)), 0x5A);
  Bytes ciphertext(plaintext.size());
  std::array<std::uint8_t, 16> tag{};
  std::array<std::uint8_t, 12> nonce{};
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, kClient.data(), nullptr);
  for (auto _ : state) {
    ++nonce[11];
    int size = 0;
    EVP_EncryptInit_ex(context.get(), nullptr, nullptr, nullptr, nonce.data());
    EVP_EncryptUpdate(context.get(), ciphertext.data(), &size, plaintext.data(), static_cast<int>(plaintext.size()));
    EVP_EncryptFinal_ex(context.get(), tag.data(), &size);
    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, tag.data());
    benchmark::DoNotOptimize(ciphertext.data());
  }
  SetBytes(state, plaintext.size());
}
BENCHMARK(OpenSslGcm)->Arg(256)->Arg(4096)->Arg(65536);

}  // namespace
}  // namespace medidesk::gateway::wa

BENCHMARK_MAIN();
