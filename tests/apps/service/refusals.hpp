// Bodies that parse_request takes and refuses, of four candidates at most.
#pragma once
#include <string>

#include "request.hpp"
#include "support/catch.hpp"

namespace service {

inline Request parsed(const std::string& body, const Interface& interface) {
  Request request;
  parse_request(body, interface, 4, request);
  return request;
}

inline void check_refused(const std::string& body, const Interface& interface, int status,
                          const std::string& what) {
  INFO(body.substr(0, 200));
  try {
    parsed(body, interface);
    FAIL_CHECK("was accepted");
  } catch (const RequestError& error) {
    CHECK(error.status == status);
    CHECK(error.what() == what);
  }
}

}  // namespace service
