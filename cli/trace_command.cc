#include "cli/trace_command.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <fstream>
#include <iostream>

#include "medidesk/store/v1/report.grpc.pb.h"

namespace medidesk::cli {
namespace {

using google::protobuf::util::TimeUtil;
using store::v1::GetTraceResponse;
using store::v1::TraceStep;

constexpr std::size_t kMaxLogSteps = 1000;
constexpr std::size_t kMaxLine = 64 * 1024;  // bytes; longer lines are not ours

bool IsTraceId(std::string_view id) {
  return id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The value of ` name=value` in a text line; quotes are taken off.
std::string_view TextField(std::string_view line, std::string_view name) {
  const std::string key = fmt::format(" {}=", name);
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view rest = line.substr(at + key.size());
  if (rest.starts_with('"')) return rest.substr(1, rest.find('"', 1) - 1);
  return rest.substr(0, rest.find(' '));
}

struct LogLine {
  std::string time, event, trace, service, detail;
};

bool ReadText(std::string_view line, LogLine* out) {
  const std::size_t level = line.find(' '), event = level == line.npos ? line.npos : line.find(' ', level + 1);
  if (event == line.npos) return false;
  out->time = line.substr(0, level);
  out->event = line.substr(event + 1, line.find(' ', event + 1) - event - 1);
  out->trace = TextField(line, "trace");
  out->service = TextField(line, "service");
  for (const char* name : {"method", "code", "outcome", "source", "rule", "reason", "query", "ms"}) {
    if (const std::string_view value = TextField(line, name); !value.empty()) {
      out->detail += fmt::format("{}{}={}", out->detail.empty() ? "" : " ", name, value);
    }
  }
  return true;
}

bool ReadJson(std::string_view line, LogLine* out) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({line.data(), line.size()}, error);
  const boost::json::object* object = error ? nullptr : value.if_object();
  if (object == nullptr) return false;
  for (const auto& [key, field] : *object) {
    const boost::json::string* text = field.if_string();
    const std::string shown = text != nullptr ? std::string(text->c_str()) : boost::json::serialize(field);
    if (key == "time")
      out->time = shown;
    else if (key == "event")
      out->event = shown;
    else if (key == "trace")
      out->trace = shown;
    else if (key == "service")
      out->service = shown;
    else if (key != "level")
      out->detail += fmt::format("{}{}={}", out->detail.empty() ? "" : " ", std::string(key), shown);
  }
  return true;
}

// Which service writes a line, where it does not say so itself.
std::string ServiceOf(const LogLine& line) {
  if (!line.service.empty()) return line.service;
  if (line.event.starts_with("webhook") || line.event.starts_with("rest") || line.event.starts_with("http"))
    return "admin";
  if (line.event.starts_with("whatsapp")) return "gateway";
  if (line.event.find("quer") != line.event.npos || line.event.find("statement") != line.event.npos) return "store";
  return "assistant";
}

absl::Status AddLogLines(std::istream& in, std::string_view trace_id, GetTraceResponse* trace) {
  std::string line;
  for (std::size_t found = 0; std::getline(in, line);) {
    TraceStep step;
    if (line.size() > kMaxLine || !ReadLogLine(line, trace_id, &step)) continue;
    if (++found > kMaxLogSteps) {
      return Error(absl::StatusCode::kOutOfRange, "--logs: more than 1,000 lines of this trace; give a shorter piece");
    }
    *trace->add_steps() = std::move(step);
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  const bool as_json = arguments.Switch("--json");
  MD_ASSIGN_OR_RETURN(const auto logs, arguments.Options("--logs"));
  MD_ASSIGN_OR_RETURN(const std::string id, arguments.Word("ID"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  store::v1::GetTraceRequest request;
  IsTraceId(id) ? request.set_trace_id(id) : request.set_turn_id(id);
  const Target store = context.Store();
  auto answer = context.Call<store::v1::ReportService>(store, MD_METHOD(GetTrace), std::move(request));
  // A call that stored nothing still has lines in the logs.
  const bool logs_alone = absl::IsNotFound(answer.status()) && !logs.empty() && IsTraceId(id);
  if (!answer.ok() && !logs_alone) return answer.status();
  GetTraceResponse trace = logs_alone ? GetTraceResponse() : *std::move(answer);
  if (trace.trace_id().empty() && IsTraceId(id)) trace.set_trace_id(id);
  for (const std::string& path : logs) {
    if (path == "-") {
      MD_RETURN_IF_ERROR(AddLogLines(std::cin, trace.trace_id(), &trace));
      continue;
    }
    std::ifstream in(path);
    if (!in) return Error(absl::StatusCode::kNotFound, "--logs: a file cannot be read");
    MD_RETURN_IF_ERROR(AddLogLines(in, trace.trace_id(), &trace));
  }
  if (!as_json) {
    context.out() << TraceTable(std::move(trace));
    return kDone;
  }
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = false;
  if (!google::protobuf::util::MessageToJsonString(trace, &json, options).ok()) {
    return Error(absl::StatusCode::kInternal, "the trace cannot be written as JSON");
  }
  context.out() << json << '\n';
  return kDone;
}

}  // namespace

bool ReadLogLine(std::string_view line, std::string_view trace_id, TraceStep* step) {
  if (trace_id.empty() || line.find(trace_id) == line.npos) return false;
  LogLine read;
  if (!(line.starts_with('{') ? ReadJson(line, &read) : ReadText(line, &read)) || read.trace != trace_id) return false;
  if (!TimeUtil::FromString(read.time, step->mutable_step_time())) return false;
  step->set_service(ServiceOf(read));
  step->set_step("log " + read.event);
  step->set_detail_code(read.detail);
  return true;
}

std::string TraceTable(GetTraceResponse trace) {
  std::vector<const TraceStep*> steps;
  for (const TraceStep& step : trace.steps()) steps.push_back(&step);
  std::stable_sort(steps.begin(), steps.end(), [](const TraceStep* a, const TraceStep* b) {
    return TimeUtil::TimestampToMicroseconds(a->step_time()) < TimeUtil::TimestampToMicroseconds(b->step_time());
  });
  std::string out = fmt::format("trace {}\n", trace.trace_id().empty() ? "(none)" : trace.trace_id());
  for (const std::string& turn : trace.turn_ids()) out += fmt::format("turn  {}\n", turn);
  std::int64_t first = 0, before = 0;
  for (const TraceStep* step : steps) {
    const std::int64_t at = TimeUtil::TimestampToMicroseconds(step->step_time());
    if (first == 0) first = before = at;
    out +=
        fmt::format("{}  {:>9.3f} ms  +{:>9.3f}  {:<9}  {:<18} {}{}{}\n", TimeUtil::ToString(step->step_time()),
                    (at - first) / 1000.0, (at - before) / 1000.0, step->service(), step->step(), step->resource_id(),
                    step->resource_id().empty() || step->detail_code().empty() ? "" : "  ", step->detail_code());
    before = at;
  }
  return out;
}

constexpr Command kTraceCommand = {"trace", "the way of one message: its steps and their times",
                                   "trace ID [--logs FILE]... [--json]", &Run};

}  // namespace medidesk::cli
