// The way of one message through the system, with the time of each step.
#pragma once

#include <string>
#include <string_view>

#include "cli/command.h"
#include "medidesk/store/v1/report.pb.h"

namespace medidesk::cli {

extern const Command kTraceCommand;

// One line of a service's log as a step, where it belongs to `trace_id`: JSON lines and text lines alike.
// False: it does not, or it is no such line.
bool ReadLogLine(std::string_view line, std::string_view trace_id, store::v1::TraceStep* step);

// Steps of the store and of logs, in order of time, as a table for people.
std::string TraceTable(store::v1::GetTraceResponse trace);

}  // namespace medidesk::cli
