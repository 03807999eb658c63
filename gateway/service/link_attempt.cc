#include "gateway/service/link_attempt.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace medidesk::gateway {

namespace asio = boost::asio;

LinkAttempt::LinkAttempt(asio::any_io_executor executor, std::string id, std::string number_id)
    : id_(std::move(id)), number_id_(std::move(number_id)), executor_(executor), wake_(executor) {
  wake_.expires_at(asio::steady_timer::time_point::max());
}

void LinkAttempt::Push(const wa::Event& event) {
  const bool shown =
      std::holds_alternative<wa::QrCodeShown>(event) || std::holds_alternative<wa::PairingCodeShown>(event) ||
      std::holds_alternative<wa::LinkProgress>(event) || std::holds_alternative<wa::PasskeyRequested>(event) ||
      std::holds_alternative<wa::PasskeyCodeShown>(event);
  const bool last = std::holds_alternative<wa::Linked>(event) || std::holds_alternative<wa::LinkFailed>(event);
  if (!shown && !last) return;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = last;
    passkey_ = passkey_ || std::holds_alternative<wa::PasskeyRequested>(event);
    if (const auto* progress = std::get_if<wa::LinkProgress>(&event)) {
      confirming_ =
          confirming_ || progress->step == wa::LinkStep::kConfirming || progress->step == wa::LinkStep::kLoggingIn;
    }
    // A code replaces the one before: who reads slowly is not shown what is no longer valid.
    if (std::holds_alternative<wa::QrCodeShown>(event)) {
      std::erase_if(events_, [](const wa::Event& old) { return std::holds_alternative<wa::QrCodeShown>(old); });
    }
    events_.push_back(event);
  }
  asio::post(executor_, [self = shared_from_this()] { self->wake_.cancel(); });
}

asio::awaitable<wa::Event> LinkAttempt::Next() {
  const auto self = shared_from_this();
  for (;;) {
    std::optional<wa::Event> next;
    {
      const std::lock_guard lock(mutex_);
      if (!events_.empty()) {
        next = std::move(events_.front());
        events_.pop_front();
      }
    }
    if (next) co_return *std::move(next);
    // A cancelled coroutine ends at the next look, by an exception of its own.
    co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

bool LinkAttempt::confirming() const {
  const std::lock_guard lock(mutex_);
  return confirming_;
}
bool LinkAttempt::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}
bool LinkAttempt::passkey() const {
  const std::lock_guard lock(mutex_);
  return passkey_;
}

}  // namespace medidesk::gateway
