// The one place where the messages named here are compiled.
#include "net/wire/begin_quorum_epoch.h"
#include "net/wire/end_quorum_epoch.h"
#include "net/wire/fetch_snapshot.h"
#include "net/wire/message_codec.h"
#include "net/wire/vote.h"

namespace millrace::wire {

MILLRACE_WIRE_INSTANTIATE(BeginQuorumEpochRequest);
MILLRACE_WIRE_INSTANTIATE(BeginQuorumEpochResponse);
MILLRACE_WIRE_INSTANTIATE(EndQuorumEpochRequest);
MILLRACE_WIRE_INSTANTIATE(EndQuorumEpochResponse);
MILLRACE_WIRE_INSTANTIATE(FetchSnapshotRequest);
MILLRACE_WIRE_INSTANTIATE(FetchSnapshotResponse);
MILLRACE_WIRE_INSTANTIATE(VoteRequest);
MILLRACE_WIRE_INSTANTIATE(VoteResponse);

}  // namespace millrace::wire
