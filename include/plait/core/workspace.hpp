// Where a forward pass puts what backward may need: in the workspace if there is one, else in
// scratch, for as long as the enclosing frame. With these a layer's forward is one body:
//
//   const Scratch::Frame frame(scratch);
//   const auto hidden = keep(part(workspace, &Workspace::hidden), scratch, batch, 1, width);
#pragma once
#include <cstddef>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/scratch.hpp"
#include "plait/core/tensor.hpp"
#include "plait/core/view.hpp"

namespace plait {

// A member of the workspace, null without one.
template <class Workspace, class T>
T* part(Workspace* workspace, T Workspace::*member) {
  return workspace == nullptr ? nullptr : &(workspace->*member);
}
// An element of a member that is a list, null without a workspace.
template <class Workspace, class T>
T* part(Workspace* workspace, std::vector<T> Workspace::*member, std::size_t i) {
  return workspace == nullptr ? nullptr : &(workspace->*member)[i];
}

// Room for so many in a list that keeps what it has: another layer may have had more.
template <class T>
void at_least(std::vector<T>& list, std::size_t size) {
  if (list.size() < size) list.resize(size);
}

// [batch, slots, dim], unspecified, contiguous.
template <class Scalar>
View3<Scalar> keep(Tensor<Scalar>* kept, Scratch& scratch, Index batch, Index slots, Index dim) {
  if (kept == nullptr) return scratch.take<Scalar>(batch, slots, dim);
  kept->resize(batch, slots, dim);
  return kept->view();
}
// The same with the numbers of one slot together, as Tensor::slot_major.
template <class Scalar>
View3<Scalar> keep_slot_major(Tensor<Scalar>* kept, Scratch& scratch, Index batch, Index slots,
                              Index dim) {
  if (kept == nullptr) return scratch.take_slot_major<Scalar>(batch, slots, dim);
  kept->resize(batch, slots, dim);
  return kept->slot_major();
}

}  // namespace plait
