#include "reply.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace service {
namespace {

using nlohmann::json;

// As JSON; bytes that are no UTF-8 are replaced.
std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

template <class Number>
void append(std::string& out, Number value) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// The list of value(0), ..., value(count - 1).
template <class Value>
void append_list(std::string& out, Index count, const Value& value) {
  out += '[';
  for (Index b = 0; b < count; ++b) {
    if (b > 0) out += ',';
    append(out, value(b));
  }
  out += ']';
}

}  // namespace

Reply error_reply(int status, const std::string& what) {
  return {status, "{\"error\":" + quoted(what) + "}\n"};
}

Reply scores_reply(std::uint64_t version, const Interface& interface,
                   plait::View3<const float> scores, std::span<const double> rank) {
  Reply reply;
  std::string& out = reply.body;
  out.reserve(64 + rank.size() * (interface.columns.size() + 2) * 13);
  out += "{\"version\":";
  append(out, version);
  out += ",\"scores\":{";
  for (std::size_t c = 0; c < interface.columns.size(); ++c) {
    if (c > 0) out += ',';
    out += quoted(interface.columns[c]) + ':';
    append_list(out, scores.batch(), [&](Index b) { return scores.row(b)[c]; });
  }
  out += "},\"rank\":";
  append_list(out, scores.batch(), [&](Index b) { return rank[static_cast<std::size_t>(b)]; });
  out += "}\n";
  return reply;
}

}  // namespace service
