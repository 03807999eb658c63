#include "admin/api/rest/openapi.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "admin/api/rest/openapi_schema.h"
#include "admin/api/rest/route_table.h"

namespace medidesk::admin::rest {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

namespace {

constexpr std::string_view kAbout =
    "The services of a MediDesk deployment in JSON: conversations and their messages, the hospital's facts, patients, "
    "tasks, the audit log, and the assistant's answer. Messages are the contracts' own in proto3 JSON: lower camel "
    "case names, 64-bit numbers and times as text, enums by name. Unknown fields, parameters and enum values are "
    "refused.\n\nCallers send a bearer token that holds the operation's scope, or `admin`. Pages: `pageSize` and "
    "`pageToken`; a `nextPageToken` that is not empty leads to the next one. Rows that have a version answer with an "
    "ETag, and a change with If-Match happens to that version only. Every error is a google.rpc.Status.";

// {conversation_id} -> conversationId, {faq.key} -> faqKey.
std::string VariableName(std::string_view variable) {
  std::string name;
  bool upper = false;
  for (const char c : variable) {
    if (c == '_' || c == '.') {
      upper = true;
    } else {
      name += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
      upper = false;
    }
  }
  return name;
}

struct Template {
  std::string shape;                   // with {} for each variable: what makes two paths the same
  std::vector<std::string> variables;  // field paths
};

Template ParseTemplate(std::string_view path) {
  Template parsed;
  while (!path.empty()) {
    const std::size_t open = std::min(path.find('{'), path.size());
    parsed.shape += path.substr(0, open);
    path.remove_prefix(open);
    if (path.empty()) break;
    const std::size_t close = path.find('}');
    parsed.variables.emplace_back(path.substr(1, close - 1));
    parsed.shape += "{}";
    path.remove_prefix(close + 1);
  }
  return parsed;
}

std::string Named(const std::string& shape, const std::vector<std::string>& names) {
  std::string path;
  std::size_t next = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    path += shape[i];
    if (shape[i] == '{') path += names[next++];
  }
  return path;
}

json::object Header(std::string_view name, std::string_view text) {
  return {{"name", name}, {"in", "header"}, {"description", text}, {"schema", {{"type", "string"}}}};
}

json::object Content(std::string_view type, json::object schema) {
  json::object media;
  media["schema"] = std::move(schema);
  json::object content;
  content[type] = std::move(media);
  return content;
}

json::object ErrorResponse(std::string_view text, bool retry) {
  json::object response{{"description", text},
                        {"content", Content("application/json", {{"$ref", "#/components/schemas/Status"}})}};
  if (retry) {
    response["headers"] =
        json::object{{"Retry-After", {{"description", "Whole seconds to wait."}, {"schema", {{"type", "integer"}}}}}};
  }
  return response;
}

json::object ErrorRef(std::string_view name) { return {{"$ref", fmt::format("#/components/responses/{}", name)}}; }

json::object StatusSchema() {
  json::object detail{{"type", "object"},
                      {"required", json::array{"@type"}},
                      {"properties", json::object{{"@type", json::object{{"type", "string"}}}}},
                      {"additionalProperties", true}};
  return {{"type", "object"},
          {"description",
           "google.rpc.Status. Details are ErrorInfo (`reason`), BadRequest (`fieldViolations`) and RetryInfo "
           "(`retryDelay`) of google.rpc, told apart by `@type`."},
          {"required", json::array{"code", "message"}},
          {"properties",
           json::object{{"code", json::object{{"type", "integer"}, {"description", "A code of google.rpc.Code."}}},
                        {"message", json::object{{"type", "string"}, {"description", "What to do, for people."}}},
                        {"details", json::object{{"type", "array"}, {"items", std::move(detail)}}}}}};
}

class Document {
 public:
  absl::Status Add(const Route& route, const DescriptorPool& pool) {
    const MethodDescriptor* const call = pool.FindMethodByName(std::string(route.rpc));
    if (call == nullptr) {
      return Error(absl::StatusCode::kInvalidArgument, fmt::format("{} is not among the contracts", route.rpc));
    }
    const Template parsed = ParseTemplate(route.path);
    std::vector<std::string>& names = names_[parsed.shape];
    if (names.empty()) {  // the first row of a path names its variables
      for (const std::string& variable : parsed.variables) names.push_back(VariableName(variable));
    }
    json::object parameters_by_variable;
    json::object operation{
        {"operationId", call->service()->name() + '_' + call->name()},
        {"tags", json::array{route.tag}},
        {"description", fmt::format("{}\n\nNeeds the scope `{}`.", CommentOf(*call), ScopeName(route.scope))},
        {"security", json::array{json::object{{"token", json::array{ScopeName(route.scope)}}}}}};
    json::array parameters;
    for (std::size_t i = 0; i < parsed.variables.size(); ++i) {
      const FieldDescriptor* const field = FindField(*call->input_type(), parsed.variables[i]);
      if (field == nullptr) return Error(absl::StatusCode::kInvalidArgument, "a path names a field that is missing");
      parameters.push_back(json::object{{"name", names[i]},
                                        {"in", "path"},
                                        {"required", true},
                                        {"description", CommentOf(*field)},
                                        {"schema", json::object{{"type", "string"}}}});
    }
    std::vector<std::string> bound(route.hidden.begin(), route.hidden.end());
    bound.insert(bound.end(), parsed.variables.begin(), parsed.variables.end());
    if (route.body != "*") AddQuery(*call->input_type(), "", "", route, bound, parameters);
    AddHeaders(*call, route, parameters);
    if (!parameters.empty()) operation["parameters"] = std::move(parameters);
    if (!route.body.empty()) operation["requestBody"] = Body(*call, route, bound);
    operation["responses"] = Responses(*call, route);

    std::string method(route.method);
    std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::tolower(c); });
    json::object& path = Path(Named(parsed.shape, names));
    path[method] = std::move(operation);
    if (std::find(tags_.begin(), tags_.end(), route.tag) == tags_.end()) tags_.emplace_back(route.tag);
    return absl::OkStatus();
  }

  std::string Text() {
    json::object schemas = schemas_.Take();
    schemas["Status"] = StatusSchema();
    json::array tags;
    for (const std::string& tag : tags_) tags.push_back(json::object{{"name", tag}});
    const json::object document{
        {"openapi", "3.1.0"},
        {"info",
         json::object{{"title", "MediDesk"},
                      {"version", "1"},
                      {"description", kAbout},
                      {"license", json::object{{"name", "GPL-3.0-or-later"}, {"identifier", "GPL-3.0-or-later"}}}}},
        {"servers", json::array{json::object{{"url", "/"}}}},
        {"tags", std::move(tags)},
        {"paths", std::move(paths_)},
        {"components",
         json::object{
             {"securitySchemes",
              json::object{{"token", json::object{{"type", "http"},
                                                  {"scheme", "bearer"},
                                                  {"description", "Made by `./medidesk token create`."}}}}},
             {"responses",
              json::object{
                  {"Error", ErrorResponse("An error.", false)},
                  {"Limited", ErrorResponse("A limit of this caller: token, phone number or address.", true)},
                  {"Stale", ErrorResponse("The row has another version than If-Match says.", false)},
                  {"Busy", ErrorResponse("The service is busy or away; the same request may be sent again.", true)}}},
             {"schemas", std::move(schemas)}}}};
    return json::serialize(document);
  }

 private:
  json::object& Path(const std::string& path) {
    json::value& item = paths_[path];
    if (!item.is_object()) item.emplace_object();
    return item.as_object();
  }

  void AddQuery(const Descriptor& message, const std::string& at, const std::string& json_at, const Route& route,
                const std::vector<std::string>& bound, json::array& parameters) {
    for (int i = 0; i < message.field_count(); ++i) {
      const FieldDescriptor& field = *message.field(i);
      const std::string path = at + field.name(), name = json_at + field.json_name();
      if (path == route.body || std::find(bound.begin(), bound.end(), path) != bound.end()) continue;
      if (IsQueryValue(field)) {
        json::object schema = schemas_.Field(field);
        schema.erase("description");
        parameters.push_back(json::object{
            {"name", name}, {"in", "query"}, {"description", CommentOf(field)}, {"schema", std::move(schema)}});
      } else if (!field.is_repeated()) {
        AddQuery(*field.message_type(), path + '.', name + '.', route, bound, parameters);
      }
    }
  }

  static void AddHeaders(const MethodDescriptor& call, const Route& route, json::array& parameters) {
    if (!route.if_match.empty()) {
      parameters.push_back(Header("If-Match", "The ETag that the row must still have; absent or *: any."));
    }
    if (route.method == "GET" && !route.etag.empty()) {
      parameters.push_back(Header("If-None-Match", "An ETag; 304 when the row still has it."));
    }
    if (call.input_type()->FindFieldByName("commit_id") != nullptr) {
      parameters.push_back(
          Header("Idempotency-Key", "A UUID; the same one again brings the first outcome instead of a second write."));
    }
  }

  json::object Body(const MethodDescriptor& call, const Route& route, const std::vector<std::string>& bound) {
    json::object schema = route.body == "*"
                              ? schemas_.Without(*call.input_type(), "", bound)
                              : schemas_.Reference(*FindField(*call.input_type(), route.body)->message_type());
    json::object body{{"content", Content("application/json", std::move(schema))}};
    if (route.body != "*") body["required"] = true;
    return body;
  }

  json::object Responses(const MethodDescriptor& call, const Route& route) {
    json::object success;
    switch (route.answer) {
      case Answer::kMessage:
        success["description"] = CommentOf(*call.output_type());
        success["content"] = Content("application/json", schemas_.Reference(*call.output_type()));
        break;
      case Answer::kMessages: {
        success["description"] =
            CommentOf(*call.output_type()) +
            " One object a line, or as server-sent events where `Accept` names text/event-stream; the event is the "
            "name "
            "of the field that is set. A failure on the way ends it with `{\"error\":<Status>}`, or an event `error`.";
        json::object content = Content("application/x-ndjson", schemas_.Reference(*call.output_type()));
        content["text/event-stream"] = json::object{{"schema", json::object{{"type", "string"}}}};
        success["content"] = std::move(content);
        break;
      }
      case Answer::kTable:
        success["description"] = "One CSV file (RFC 4180), sent in chunks.";
        success["content"] = Content("text/csv", {{"type", "string"}});
        break;
      case Answer::kDocument:
        success["description"] = "One JSON document, sent in chunks.";
        success["content"] = Content("application/json", {{"type", "object"}});
        break;
    }
    if (!route.etag.empty()) {
      success["headers"] =
          json::object{{"ETag", {{"description", "The row's version."}, {"schema", json::object{{"type", "string"}}}}}};
    }
    json::object responses;
    responses[std::to_string(route.success)] = std::move(success);
    if (route.method == "GET" && !route.etag.empty()) {
      responses["304"] = json::object{{"description", "The row still has the version of If-None-Match."}};
    }
    if (!route.if_match.empty()) responses["412"] = ErrorRef("Stale");
    responses["429"] = ErrorRef("Limited");
    responses["503"] = ErrorRef("Busy");
    responses["default"] = ErrorRef("Error");
    return responses;
  }

  Schemas schemas_;
  json::object paths_;
  std::map<std::string, std::vector<std::string>> names_;  // of variables, by the path's shape
  std::vector<std::string> tags_;
};

}  // namespace

absl::StatusOr<std::string> OpenApi(const google::protobuf::FileDescriptorSet& contracts) {
  DescriptorPool pool;
  for (const auto& file : contracts.file()) {
    if (pool.BuildFile(file) == nullptr) {
      return Error(absl::StatusCode::kInvalidArgument, "the set of contracts lacks a file that another one imports");
    }
  }
  Document document;
  for (const Route& route : Routes()) MD_RETURN_IF_ERROR(document.Add(route, pool));
  return document.Text();
}

}  // namespace medidesk::admin::rest
