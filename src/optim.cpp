// plait::compiled: rules and optimizers.
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/ftrl.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"

namespace plait {

template void Adam::update<float>(const UpdateStep&, std::span<float>, std::span<const float>,
                                  Moments<float>) const;
template void Adam::update<double>(const UpdateStep&, std::span<double>, std::span<const double>,
                                   Moments<double>) const;
template void AdamW::update<float>(const UpdateStep&, std::span<float>, std::span<const float>,
                                   Moments<float>) const;
template void AdamW::update<double>(const UpdateStep&, std::span<double>, std::span<const double>,
                                    Moments<double>) const;
template void SGD::update<float>(const UpdateStep&, std::span<float>, std::span<const float>,
                                 Moments<float>) const;
template void SGD::update<double>(const UpdateStep&, std::span<double>, std::span<const double>,
                                  Moments<double>) const;
template void RMSprop::update<float>(const UpdateStep&, std::span<float>, std::span<const float>,
                                     Moments<float>) const;
template void RMSprop::update<double>(const UpdateStep&, std::span<double>, std::span<const double>,
                                      Moments<double>) const;
template void Adagrad::update<float>(const UpdateStep&, std::span<float>, std::span<const float>,
                                     Moments<float>) const;
template void Adagrad::update<double>(const UpdateStep&, std::span<double>, std::span<const double>,
                                      Moments<double>) const;
template void FTRL::update<float>(const UpdateStep&, std::span<float>, std::span<const float>,
                                  Moments<float>) const;
template void FTRL::update<double>(const UpdateStep&, std::span<double>, std::span<const double>,
                                   Moments<double>) const;
template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace plait
