#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "errors.hpp"

namespace service {
namespace {

std::pair<std::string, double> parse_weight(const std::string& text) {
  const auto equals = text.rfind('=');
  double weight = 0;
  const char* const end = text.data() + text.size();
  if (equals != text.npos) {
    const auto [after, error] = std::from_chars(text.data() + equals + 1, end, weight);
    if (error == std::errc() && after == end) return {text.substr(0, equals), weight};
  }
  throw UsageError("--weight: got '" + text + "', expected a score and a number, such as buy=0.5");
}

plait::InstructionSet parse_instruction_set(const std::string& name) {
  if (name == "sse2") return plait::InstructionSet::baseline;
  if (name == "avx2") return plait::InstructionSet::avx2;
  if (name == "avx512") return plait::InstructionSet::avx512;
  throw UsageError("--instruction-set: got '" + name + "', expected sse2, avx2 or avx512");
}

}  // namespace

std::optional<Options> parse_options(int argc, const char* const* argv, std::ostream& out) {
  Options options;
  options.service.threads = std::max(1u, std::thread::hardware_concurrency());
  std::string user_columns;
  std::vector<std::string> weights;
  std::string instruction_set;
  const std::map<std::string, TableRows> table_rows = {
      {"float", TableRows::floats}, {"bytes", TableRows::bytes}, {"mapped", TableRows::mapped}};
  long watch = options.watch.count();
  long lame_duck = options.lame_duck.count();
  long drain = options.drain.count();
  long max_wait = options.service.max_wait.count();
  long idle = options.http.idle.count();
  long request = options.http.request.count();
  long answer = options.http.answer.count();

  CLI::App app(
      "Serves a model file over HTTP: POST /score with a user's features and candidates, and get\n"
      "their scores. Loads the file again when it changes, on POST /reload and on SIGHUP. Ends on\n"
      "SIGTERM or SIGINT when the requests that are under way have been answered, and at once on "
      "a\n"
      "second one.",
      "ranking_service");
  app.add_option("model", options.service.model, "Model file, as train_ranker --save writes it")
      ->required();
  const auto count = CLI::Range(1, 1 << 20);
  const auto threads = CLI::Range(1, 1 << 10);
  const auto milliseconds = CLI::Range(1, 86400000);
  app.add_option("--user-columns", user_columns,
                 "Columns of the input that a request gives once, as its user, such as 0-31,40");
  app.add_option("--tables", options.service.tables,
                 "Rows of tables of a model with them: float, bytes, 8 bits a number, or mapped, "
                 "which leaves them in the file and reads what is asked for")
      ->transform(CLI::CheckedTransformer(table_rows))
      ->default_str("float");
  app.add_option(
      "--weight", weights,
      "What a score counts in the rank, such as click=1; may be repeated. Scores without "
      "one count 0; all count 1 when there is none");
  app.add_option("--threads", options.service.threads, "Requests that are scored at a time")
      ->check(threads)
      ->capture_default_str();
  app.add_option("--instruction-set", instruction_set,
                 "At most this one: sse2, avx2 or avx512; without it the machine's largest");
  app.add_option("--queue", options.service.queue, "Requests that may wait for their turn")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--max-wait", max_wait,
                 "Milliseconds that a request may wait for its turn before it is turned away")
      ->check(milliseconds)
      ->capture_default_str();
  app.add_option("--max-rows", options.service.max_rows, "Candidates of a request at most")
      ->check(count)
      ->capture_default_str();
  app.add_option("--max-body", options.http.max_body, "Bytes of a request at most")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_option("--max-memory", options.http.max_memory,
                 "Bytes of all requests that are read or wait and all answers that are written")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_option("--host", options.http.host, "Address to listen on")->capture_default_str();
  app.add_option("--port", options.http.port, "Port to listen on; 0 takes one that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--connections", options.http.connections,
                 "Connections at most; a few more are answered on GET alone")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app.add_option("--idle", idle, "Milliseconds that a connection may be idle")
      ->check(milliseconds)
      ->capture_default_str();
  app.add_option("--request-time", request, "Milliseconds from a request's first byte to its last")
      ->check(milliseconds)
      ->capture_default_str();
  app.add_option("--answer-time", answer, "Milliseconds from an answer's first byte to its last")
      ->check(milliseconds)
      ->capture_default_str();
  app.add_option("--watch", watch, "Milliseconds between looks at the model's file; 0 for none")
      ->check(CLI::Range(0, 86400000))
      ->capture_default_str();
  app.add_option("--lame-duck", lame_duck,
                 "Milliseconds that it goes on after SIGTERM in any case, while /healthz says 503")
      ->check(CLI::Range(0, 86400000))
      ->capture_default_str();
  app.add_option("--drain", drain, "Milliseconds after SIGTERM at which it ends in any case")
      ->check(CLI::Range(0, 86400000))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  options.service.user_columns = parse_columns(user_columns);
  for (const std::string& weight : weights) options.service.weights.push_back(parse_weight(weight));
  if (!instruction_set.empty()) options.instruction_set = parse_instruction_set(instruction_set);
  options.watch = std::chrono::milliseconds(watch);
  if (options.http.max_body > options.http.max_memory / 2)
    throw UsageError("--max-body: expected at most half of --max-memory");
  if (lame_duck > drain) throw UsageError("--lame-duck: expected at most --drain");
  options.service.max_wait = std::chrono::milliseconds(max_wait);
  options.lame_duck = std::chrono::milliseconds(lame_duck);
  options.drain = std::chrono::milliseconds(drain);
  options.http.idle = std::chrono::milliseconds(idle);
  options.http.request = std::chrono::milliseconds(request);
  options.http.answer = std::chrono::milliseconds(answer);
  return options;
}

}  // namespace service
