#include "method_progress.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "plait/core/error.hpp"

namespace ranker {
namespace {

constexpr const char* key = "method";
constexpr std::uint64_t half = std::uint64_t{1} << 32;

std::string buffer_key(std::size_t i) { return plait::text(key, '.', i); }

}  // namespace

void store_method(const plait::MethodState& state,
                  const std::vector<plait::ParamBuffer<float>>& buffers,
                  plait::Progress<float>& progress) {
  std::vector<double> numbers{static_cast<double>(state.steps)};
  for (const std::uint64_t word : state.random.state())  // in halves, which doubles hold exactly
    numbers.insert(numbers.end(),
                   {static_cast<double>(word / half), static_cast<double>(word % half)});
  numbers.insert(numbers.end(), state.numbers.begin(), state.numbers.end());
  progress.numbers[key] = std::move(numbers);
  for (std::size_t i = 0; i < buffers.size(); ++i)
    progress.buffers.insert_or_assign(buffer_key(i), buffers[i]);
}

StoredMethod stored_method(const plait::Progress<float>& progress) {
  auto next = progress.numbers.at(key).begin();
  StoredMethod result;
  result.state.steps = static_cast<plait::Index>(*next++);
  plait::Random::State words{};
  for (std::uint64_t& word : words) {
    word = static_cast<std::uint64_t>(*next++) * half;
    word += static_cast<std::uint64_t>(*next++);
  }
  result.state.random = plait::Random(words);
  result.state.numbers.assign(next, progress.numbers.at(key).end());
  for (std::size_t i = 0; progress.buffers.contains(buffer_key(i)); ++i)
    result.buffers.push_back(progress.buffers.at(buffer_key(i)));
  return result;
}

}  // namespace ranker
