// A batch in pieces, as a trainer cuts it.
#pragma once
#include <algorithm>

#include "plait/core/view.hpp"

// rows_of(x, first) of seven rows at a time, which begin with row `first` of the batch, one below
// the other.
template <class RowsOf>
plait::Matrix<double> in_tiles(const plait::Matrix<double>& x, plait::Index outputs,
                               const RowsOf& rows_of) {
  plait::Matrix<double> result(x.rows(), outputs);
  for (plait::Index first = 0; first < x.rows(); first += 7) {
    const plait::Index rows = std::min<plait::Index>(7, x.rows() - first);
    result.middleRows(first, rows) = rows_of(x.middleRows(first, rows), first);
  }
  return result;
}
