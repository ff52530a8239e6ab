// ProducerIdSource: hands out producer ids of the block the controller gave this broker, and asks for the next block in time.
//
// Shard:      0.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "engine/drivers/controller_driver.h"
#include "io/task.h"
#include "io/wait.h"
#include "net/wire/error_code.h"

namespace millrace::engine {

class ProducerIdSource {
 public:
  ProducerIdSource(ControllerDriver& controller, BrokerId broker, BrokerEpoch epoch)
      : controller_(controller), broker_(broker), epoch_(epoch) {}

  struct Next {
    wire::ErrorCode error{};
    ProducerId id = kNoProducerId;
  };
  // An id nobody was given before and nobody will be given again, also not after a crash.
  io::Task<Next> next();

 private:
  ControllerDriver& controller_;
  BrokerId broker_;
  BrokerEpoch epoch_;
  ProducerId next_{0};
  ProducerId end_{0};
  bool asking_ = false;
  io::Event asked_;
};

}  // namespace millrace::engine
