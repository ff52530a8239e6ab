#include "engine/drivers/group_coordinators.h"

#include <algorithm>
#include <utility>

namespace millrace::engine {

io::Task<void> GroupCoordinators::follow(std::vector<std::shared_ptr<Partition>> partitions) {
  const auto is_here = [&](const CoordinatorDriver& driver) {
    return std::ranges::any_of(partitions,
                               [&](const auto& partition) { return driver.is_over(*partition); });
  };
  std::vector<std::shared_ptr<CoordinatorDriver>> gone;
  std::erase_if(drivers_, [&](auto& entry) {
    if (is_here(*entry.second)) return false;
    gone.push_back(entry.second);
    return true;
  });
  for (const auto& driver : gone) co_await driver->stop();
  for (auto& partition : partitions) {
    const TopicPartition id = partition->id();
    if (drivers_.contains(id)) continue;
    auto driver = std::make_shared<CoordinatorDriver>(std::move(partition), options_, use_,
                                                      image_, prng_.next());
    driver->start();
    drivers_.emplace(id, std::move(driver));
  }
}

std::shared_ptr<CoordinatorDriver> GroupCoordinators::find(const TopicPartition& id) const {
  const auto found = drivers_.find(id);
  return found == drivers_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<CoordinatorDriver>> GroupCoordinators::all() const {
  std::vector<std::shared_ptr<CoordinatorDriver>> drivers;
  for (const auto& [id, driver] : drivers_) drivers.push_back(driver);
  return drivers;
}

void GroupCoordinators::drop_topics(const GoneTopics& topics) {
  for (const auto& driver : all()) driver->drop_topics(topics);
}

io::Task<void> GroupCoordinators::topics_dropped() {
  for (const auto& driver : all()) co_await driver->topics_dropped();
}

void GroupCoordinators::topics_changed(const std::vector<std::string>& names, bool any_came_or_went) {
  for (const auto& driver : all()) driver->topics_changed(names, any_came_or_went);
}

void GroupCoordinators::end_waits() {
  for (const auto& driver : all()) driver->end_waits();
}

io::Task<void> GroupCoordinators::stop() {
  for (const auto& driver : all()) co_await driver->stop();
}

}  // namespace millrace::engine
