#include "gateway/service/site_contacts.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace medidesk::gateway {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::seconds kLook{20}, kRetry{2};
}

SiteContacts::SiteContacts(rpc::Dispatcher::Executor executor, const rpc::Channel& store, safety::SiteContacts fallback)
    : strand_(asio::make_strand(executor)), knowledge_(store), fallback_(std::move(fallback)), pause_(strand_) {
  site_.contacts = fallback_;
}

void SiteContacts::Start() {
  asio::co_spawn(
      strand_, [self = shared_from_this()] { return self->Follow(); }, asio::detached);
}

void SiteContacts::Stop() {
  asio::post(strand_, [self = shared_from_this()] {
    self->stopped_ = true;
    self->pause_.cancel();
  });
}

SiteContacts::Site SiteContacts::Current() const {
  const std::lock_guard lock(mutex_);
  return site_;
}

asio::awaitable<void> SiteContacts::Follow() {
  const auto self = shared_from_this();
  while (!stopped_) {
    const store::v1::GetHospitalRequest request;
    const rpc::CallOptions options = rpc::Within(std::chrono::seconds(5));
    const auto response = co_await knowledge_.Call(MD_METHOD(GetHospital), request, options);
    if (response.ok()) {
      const store::v1::Hospital& hospital = response->hospital();
      Site site;
      site.contacts = fallback_;
      if (!hospital.emergency_number().empty()) site.contacts.emergency_number = hospital.emergency_number();
      if (!hospital.crisis_line().empty()) site.contacts.crisis_line = hospital.crisis_line();
      site.contacts.emergency_address = hospital.emergency_address();
      site.contacts.emergency_phone = hospital.phone();
      if (!hospital.default_language().empty()) site.language = hospital.default_language();
      const std::lock_guard lock(mutex_);
      site_ = std::move(site);
    }
    pause_.expires_after(response.ok() ? kLook : kRetry);
    co_await pause_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace medidesk::gateway
