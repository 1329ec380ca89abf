// The body of a request for Boost.Beast, within limits.
#pragma once
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional/optional.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory_budget.hpp"

namespace service {

// Memory is taken as bytes arrive, whatever was announced, and out of the share first: a block and
// the one from which it is copied. More than at_most bytes are error::body_limit;
// errc::not_enough_memory says that the budget is used up.
struct RequestBody {
  struct value_type {
    std::vector<char> bytes = {};  // grows by as much as is asked for, which a string does not
    std::size_t at_most = 0;
    MemoryBudget::Share* share = nullptr;
  };

  class reader {
   public:
    template <bool is_request, class Fields>
    reader(boost::beast::http::header<is_request, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& length, boost::beast::error_code& error) {
      error = {};
      announced_ = static_cast<std::size_t>(
          std::min<std::uint64_t>(length.value_or(body_.at_most), body_.at_most));
    }

    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      const std::size_t more = boost::asio::buffer_size(buffers);
      const std::size_t size = body_.bytes.size() + more;
      const std::size_t before = body_.bytes.capacity();
      if (size > body_.at_most) {
        error = boost::beast::http::error::body_limit;
        return 0;
      }
      if (size > before) {
        const std::size_t wanted = std::max(2 * before, std::size_t{1} << 16);
        const std::size_t capacity = std::max(size, std::min(wanted, announced_));
        if (!body_.share->grow_to(capacity + before)) {
          error = make_error_code(boost::system::errc::not_enough_memory);
          return 0;
        }
        body_.bytes.reserve(capacity);
      }
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        const auto* first = static_cast<const char*>(buffer.data());
        body_.bytes.insert(body_.bytes.end(), first, first + buffer.size());
      }
      error = {};
      return more;
    }

    void finish(boost::beast::error_code& error) { error = {}; }

   private:
    value_type& body_;
    std::size_t announced_ = 0;
  };
};

}  // namespace service
