#include "cli/staff_command.h"

#include <fmt/format.h>

#include "base/uuid.h"
#include "medidesk/store/v1/access.grpc.pb.h"

namespace medidesk::cli {
namespace {

using store::v1::AccessService;
using store::v1::Staff;

// What the first admin's account is called until a person takes it by its link.
constexpr std::string_view kFirstEmail = "admin@localhost", kFirstName = "Admin";

absl::Status Wrong(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

std::string_view RoleName(store::v1::StaffRole role) {
  switch (role) {
    case store::v1::STAFF_ROLE_VIEWER:
      return "viewer";
    case store::v1::STAFF_ROLE_AGENT:
      return "agent";
    case store::v1::STAFF_ROLE_ADMIN:
      return "admin";
    default:
      return "?";
  }
}

absl::StatusOr<store::v1::StaffRole> ReadRole(std::string_view name) {
  for (const store::v1::StaffRole role :
       {store::v1::STAFF_ROLE_VIEWER, store::v1::STAFF_ROLE_AGENT, store::v1::STAFF_ROLE_ADMIN}) {
    if (RoleName(role) == name) return role;
  }
  return Wrong("--role: expected viewer, agent or admin");
}

// What stands after # is never sent to a server, so no log of a proxy holds it.
std::string Link(Context& context, const std::string& invitation) {
  return fmt::format("{}/#/welcome/{}", context.config().AdminUrl(), invitation);
}

absl::StatusOr<std::vector<Staff>> List(Context& context) {
  std::vector<Staff> staff;
  store::v1::ListStaffRequest request;
  request.set_page_size(200);
  const Target store = context.Store();
  do {
    MD_ASSIGN_OR_RETURN(const auto page, (context.Call<AccessService>(store, MD_METHOD(ListStaff), request)));
    staff.insert(staff.end(), page.staff().begin(), page.staff().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return staff;
}

absl::StatusOr<std::string> Make(Context& context, std::string email, std::string name, store::v1::StaffRole role) {
  store::v1::CreateStaffRequest request;
  request.set_commit_id(NewUuid());
  request.mutable_staff()->set_email(std::move(email));
  request.mutable_staff()->set_name(std::move(name));
  request.mutable_staff()->set_role(role);
  *request.mutable_actor() = Context::Operator();
  MD_ASSIGN_OR_RETURN(const auto made, (context.Call<AccessService>(context.Store(), MD_METHOD(CreateStaff), request)));
  return made.invitation();
}

absl::StatusOr<std::string> Invite(Context& context, const std::string& id) {
  store::v1::InviteStaffRequest request;
  request.set_staff_id(id);
  *request.mutable_actor() = Context::Operator();
  MD_ASSIGN_OR_RETURN(const auto invited,
                      (context.Call<AccessService>(context.Store(), MD_METHOD(InviteStaff), request)));
  return invited.invitation();
}

absl::StatusOr<int> Show(Context& context, const std::string& invitation) {
  context.out() << Link(context, invitation) << '\n';
  context.notes() << "The link works once, for 72 hours. Give it to that person alone.\n";
  return kDone;
}

absl::StatusOr<int> Add(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const auto role_name, arguments.Option("--role"));
  MD_ASSIGN_OR_RETURN(const auto name, arguments.Option("--name"));
  MD_ASSIGN_OR_RETURN(std::string email, arguments.Word("MAIL ADDRESS"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const store::v1::StaffRole role, ReadRole(role_name.value_or("agent")));
  std::string shown = name.value_or(email.substr(0, email.find('@')));
  MD_ASSIGN_OR_RETURN(const std::string invitation, Make(context, std::move(email), std::move(shown), role));
  return Show(context, invitation);
}

absl::StatusOr<int> ShowList(Context& context, Arguments& arguments) {
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const std::vector<Staff> staff, List(context));
  if (staff.empty()) {
    context.notes() << "There are no accounts; ./medidesk staff first makes the first admin's link.\n";
    return kDone;
  }
  context.out() << fmt::format("{:<36}  {:<32}  {:<24}  {:<7}  {}\n", "id", "mail address", "name", "role", "state");
  for (const Staff& one : staff) {
    context.out() << fmt::format("{:<36}  {:<32}  {:<24}  {:<7}  {}\n", one.id(), one.email(), one.name(),
                                 RoleName(one.role()),
                                 one.disabled()  ? "disabled"
                                 : one.invited() ? "invited"
                                                 : "live");
  }
  return kDone;
}

absl::StatusOr<int> InviteAgain(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string wanted, arguments.Word("MAIL ADDRESS or ID"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const std::vector<Staff> staff, List(context));
  for (const Staff& one : staff) {
    if (one.id() != wanted && one.email() != wanted) continue;
    MD_ASSIGN_OR_RETURN(const std::string invitation, Invite(context, one.id()));
    return Show(context, invitation);
  }
  return Error(absl::StatusCode::kNotFound, "no account has this mail address; ./medidesk staff list shows them");
}

// As long as nobody has a password: a link for the first admin. Later: nothing.
absl::StatusOr<int> First(Context& context, Arguments& arguments) {
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const std::vector<Staff> staff, List(context));
  std::string admin;
  for (const Staff& one : staff) {
    if (!one.invited()) {
      context.notes() << "There are accounts already; ./medidesk staff invite makes a new link for one of them.\n";
      return kDone;
    }
    if (one.role() == store::v1::STAFF_ROLE_ADMIN && !one.disabled()) admin = one.id();
  }
  MD_ASSIGN_OR_RETURN(
      const std::string invitation,
      admin.empty() ? Make(context, std::string(kFirstEmail), std::string(kFirstName), store::v1::STAFF_ROLE_ADMIN)
                    : Invite(context, admin));
  return Show(context, invitation);
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string action, arguments.Word("add, list, invite or first"));
  if (action == "add") return Add(context, arguments);
  if (action == "list") return ShowList(context, arguments);
  if (action == "invite") return InviteAgain(context, arguments);
  if (action == "first") return First(context, arguments);
  return Wrong("expected add, list, invite or first");
}

}  // namespace

constexpr Command kStaffCommand = {"staff", "who may use the dashboard, and links for new passwords",
                                   "staff add MAIL [--role viewer|agent|admin] [--name NAME]\n"
                                   "staff list\n"
                                   "staff invite MAIL|ID\n"
                                   "staff first",
                                   &Run};

}  // namespace medidesk::cli
