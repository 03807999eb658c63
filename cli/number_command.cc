#include "cli/number_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/phone_number.h"
#include "base/uuid.h"
#include "medidesk/store/v1/device.grpc.pb.h"

namespace medidesk::cli {
namespace {

using store::v1::DeviceService;
using store::v1::Number;

// NUMBER_STATE_NEEDS_LINK -> needs_link
std::string StateText(store::v1::NumberState state) {
  std::string name = store::v1::NumberState_Name(state).substr(std::string_view("NUMBER_STATE_").size());
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::string PhoneText(const std::string& phone) {
  const auto number = PhoneNumber::Parse(phone);
  return number ? number->Masked() : "-";
}

absl::StatusOr<int> List(Context& context, Arguments& arguments) {
  MD_RETURN_IF_ERROR(arguments.Finish());
  const Target store = context.Store();
  store::v1::ListNumbersRequest request;
  bool any = false;
  do {
    MD_ASSIGN_OR_RETURN(const auto page, (context.Call<DeviceService>(store, MD_METHOD(ListNumbers), request)));
    if (!any && page.numbers_size() > 0) {
      context.out() << fmt::format("{:<32}  {:<16}  {:<17}  {:<24}  {}\n", "name", "phone", "state", "reason", "owner");
    }
    for (const Number& number : page.numbers()) {
      any = true;
      const std::string state = number.enabled() ? StateText(number.state()) : "off";
      context.out() << fmt::format("{:<32}  {:<16}  {:<17}  {:<24}  {}\n", number.name(), PhoneText(number.phone()),
                                   state, number.state_reason().empty() ? "-" : number.state_reason(),
                                   number.owner_alive() ? number.gateway_id() : "-");
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (!any) context.notes() << "There are no numbers; ./medidesk link NAME makes one.\n";
  return kDone;
}

absl::StatusOr<int> Switch(Context& context, Arguments& arguments, bool on) {
  store::v1::GetNumberRequest find;
  MD_ASSIGN_OR_RETURN(*find.mutable_name(), arguments.Word("NAME"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  const Target store = context.Store();
  MD_ASSIGN_OR_RETURN(const auto found, (context.Call<DeviceService>(store, MD_METHOD(GetNumber), find)));
  store::v1::UpsertNumberRequest change;
  change.set_commit_id(NewUuid());
  change.mutable_number()->set_id(found.number().id());
  change.mutable_number()->set_enabled(on);
  change.mutable_update_mask()->add_paths("enabled");
  *change.mutable_actor() = Context::Operator();
  MD_ASSIGN_OR_RETURN(const auto changed, (context.Call<DeviceService>(store, MD_METHOD(UpsertNumber), change)));
  context.out() << fmt::format("Number '{}' is switched {}.\n", changed.number().name(), on ? "on" : "off");
  if (!on) context.notes() << "Its gateway closes the connection within 5 s; the link stays.\n";
  return kDone;
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string action, arguments.Word("list, on or off"));
  if (action == "list") return List(context, arguments);
  if (action == "on") return Switch(context, arguments, true);
  if (action == "off") return Switch(context, arguments, false);
  return Error(absl::StatusCode::kInvalidArgument, "expected list, on or off");
}

}  // namespace

constexpr Command kNumberCommand = {"number", "the WhatsApp numbers: list them, switch one on or off",
                                    "number list\nnumber on NAME\nnumber off NAME", &Run};

}  // namespace medidesk::cli
