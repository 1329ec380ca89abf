#include "load/malformed.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "load/connection.hpp"
#include "plait/core/config.hpp"

namespace load {
namespace {

using plait::Index;

// What is no number of a request, or too many of them.
const std::string tokens[] = {"null",
                              "true",
                              "NaN",
                              "-",
                              "1e",
                              "1e999",
                              "-1e39",
                              "\"text\"",
                              "\"\\ud800\"",
                              "\"\xff\xfe\"",
                              "{}",
                              "[]",
                              "[1]",
                              "{\"user\":1}",
                              "[",
                              "]",
                              "{",
                              "}",
                              ",",
                              ":",
                              "\"candidates\":",
                              "\"user\":[],",
                              "\"weights\":{\"x\":1},",
                              "0x10",
                              "01",
                              "+1",
                              std::string(300, '['),
                              std::string(300, '9'),
                              std::string(1, '\0'),
                              "\"" + std::string(3000, 'a') + "\":1,"};

std::size_t below(std::size_t count, plait::Random& random) {
  return count == 0 ? 0 : static_cast<std::size_t>(random.below(static_cast<Index>(count)));
}

template <std::size_t N>
const std::string& one_of(const std::string (&list)[N], plait::Random& random) {
  return list[below(N, random)];
}

void spoil(std::string& text, plait::Random& random) {
  const std::size_t at = below(text.size(), random);
  const std::size_t length = 1 + below(std::min<std::size_t>(20, text.size() - at), random);
  switch (random.below(6)) {
    case 0:  // cut short
      text.resize(at);
      break;
    case 1:  // a byte changed
      if (!text.empty()) text[at] = static_cast<char>(random.below(256));
      break;
    case 2:  // a piece missing
      text.erase(at, length);
      break;
    case 3:  // a piece twice
      text.insert(at, text.substr(at, length));
      break;
    case 4:  // something inserted
      text.insert(at, one_of(tokens, random));
      break;
    default:  // a number replaced
      if (const auto digit = text.find_first_of("0123456789", at); digit != text.npos) {
        const auto end = text.find_first_not_of("0123456789.eE+-", digit);
        text.replace(digit, std::min(end, text.size()) - digit, one_of(tokens, random));
      }
  }
}

std::string noise(plait::Random& random) {
  std::string bytes(below(2000, random), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.below(256));
  return bytes;
}

// Headers in the place of a request's own.
const std::string headers[] = {
    "Content-Length: 99999\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Content-Length: ten\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Content-Encoding: gzip\r\nContent-Length: 40\r\n",
    "Content-Encoding: br\r\nContent-Length: 40\r\n",
    "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 40\r\n",
    "Content-Type: multipart/form-data\r\nContent-Length: 40\r\n",
    "Expect: 100-continue\r\nContent-Length: 40\r\n",
    "Range: bytes=0-9,-1\r\nContent-Length: 40\r\n",
    "Accept-Encoding: gzip, br\r\nContent-Length: 40\r\n",
    "no colon\r\n",
    ": no name\r\n",
    "X: " + std::string(9000, 'x') + "\r\n",
    std::string("X: \0\r\n", 6)};

const std::string lines[] = {"POST /score HTTP/1.1",
                             "GET /score HTTP/1.1",
                             "POST /model HTTP/1.1",
                             "PUT /score HTTP/1.1",
                             "DELETE / HTTP/1.1",
                             "POST /score",
                             "POST /score HTTP/9.9",
                             "PRI * HTTP/2.0",
                             "post /score HTTP/1.1",
                             "POST /../../etc/passwd HTTP/1.1",
                             "POST /%00%ff%zz HTTP/1.1",
                             "GET /metrics?x=%e0%80 HTTP/1.1",
                             "POST /" + std::string(9000, 'a') + " HTTP/1.1",
                             ""};

}  // namespace

std::string malformed_body(const std::string& good, plait::Random& random) {
  std::string body = good;
  for (Index mistakes = 1 + random.below(3); mistakes > 0; --mistakes) spoil(body, random);
  return body;
}

std::string malformed_request(const std::string& good_body, plait::Random& random) {
  switch (random.below(5)) {
    case 0:
    case 1:
      return http_request("POST", "/score", malformed_body(good_body, random));
    case 2: {
      std::string request = http_request("POST", "/score", good_body);
      spoil(request, random);
      return request;
    }
    case 3:
      return one_of(lines, random) + "\r\nHost: localhost\r\n" + one_of(headers, random) + "\r\n" +
             good_body;
    default:
      return noise(random);
  }
}

}  // namespace load
