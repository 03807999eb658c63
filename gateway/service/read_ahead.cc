#include "gateway/service/read_ahead.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;

constexpr int kFirstSize = 200;  // records of a page
constexpr std::chrono::milliseconds kFirstRetry{200}, kLongestRetry{5'000};

// One question, until it is answered; NOT_FOUND once the number is closed.
template <class Answer, class Ask>
asio::awaitable<absl::StatusOr<Answer>> UntilAnswered(asio::any_io_executor executor, const bool& closed, Ask ask) {
  asio::steady_timer timer(executor);
  std::chrono::milliseconds pause = kFirstRetry;
  while (!closed) {
    absl::StatusOr<Answer> answer = co_await ask();
    if (answer.ok() || !NumberWriter::OutcomeUnknown(answer.status())) co_return answer;
    timer.expires_after(pause);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    pause = std::min(2 * pause, kLongestRetry);
  }
  co_return absl::NotFoundError("the number is closed");
}

}  // namespace

asio::awaitable<void> ReadAhead(NumberPort& port, wa::MessageLayer& layer, asio::any_io_executor executor,
                                const bool& closed) {
  const std::uint64_t let_go = layer.records_let_go();
  const auto goes_on = [&] { return !closed && !layer.read_enough() && layer.records_let_go() == let_go; };

  const std::vector<wa::RecordName> names = wa::MessageLayer::ReadAheadNames();
  const auto load_names = [&] { return port.Load(names); };
  auto found = co_await UntilAnswered<std::vector<wa::Record>>(executor, closed, load_names);
  if (found.ok() && goes_on()) layer.OnReadAhead(names, *std::move(found));

  int records = 0;
  for (const auto& one : wa::MessageLayer::kReadAhead) {
    std::string token;
    int size = kFirstSize;
    bool whole = false;
    while (!whole) {
      const auto load = [&] { return port.LoadPage(one.kind, token, size); };
      auto page = co_await UntilAnswered<RecordPage>(executor, closed, load);
      if (absl::IsOutOfRange(page.status()) && size > 1) {
        size = std::max(1, size / 2);
        continue;
      }
      if (!page.ok() || !goes_on()) {
        co_return log::Info(
            "bot.read_ahead",
            {{"records", records}, {"bytes", static_cast<int>(layer.workspace_bytes())}, {"whole", false}});
      }
      records += static_cast<int>(page->records.size());
      layer.OnReadAhead({}, std::move(page->records));
      whole = page->next.empty();
      token = std::move(page->next);
    }
    if (one.ours) layer.OnReadWhole(one.kind);
  }
  log::Info("bot.read_ahead",
            {{"records", records}, {"bytes", static_cast<int>(layer.workspace_bytes())}, {"whole", true}});
}

}  // namespace medidesk::gateway
