// A stream that comes in pieces, as one from a network does.
#pragma once
#include <algorithm>
#include <cstddef>
#include <streambuf>
#include <string>
#include <utility>

// Gives its bytes a few at a time.
class Dripping : public std::streambuf {
 public:
  Dripping(std::string text, std::size_t piece) : text_(std::move(text)), piece_(piece) {}

 private:
  int_type underflow() override {
    if (at_ >= text_.size()) return traits_type::eof();
    const std::size_t count = std::min(piece_, text_.size() - at_);
    setg(text_.data() + at_, text_.data() + at_, text_.data() + at_ + count);
    at_ += count;
    return traits_type::to_int_type(*gptr());
  }
  std::string text_;
  std::size_t piece_, at_ = 0;
};
