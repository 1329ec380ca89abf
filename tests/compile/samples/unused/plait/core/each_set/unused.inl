namespace plait::PLAIT_SET {}
