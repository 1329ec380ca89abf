// Being subject to the permissions of files in a test, which root is not.
#pragma once
#include <unistd.h>

// While it lives root is another user, without rights of its own; anybody else stays who they are.
class OtherUser {
 public:
  OtherUser() {
    constexpr ::uid_t nobody = 65534;
    if (before_ == 0) changed_ = ::seteuid(nobody) == 0;
  }
  OtherUser(const OtherUser&) = delete;
  OtherUser& operator=(const OtherUser&) = delete;
  ~OtherUser() {
    if (changed_ && ::seteuid(before_) != 0) ::_exit(1);
  }

  // False for a root that may not become another.
  explicit operator bool() const { return before_ != 0 || changed_; }

 private:
  const ::uid_t before_ = ::geteuid();
  bool changed_ = false;
};
