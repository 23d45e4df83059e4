//! Carrying out what a node wants: datagrams, its disk, streams, and when it wants to be woken.

use super::*;

impl World {
    /// Checks and carries out what a node wants.
    pub(super) fn carry_out(&mut self, id: NodeId, mut actions: Vec<Action>) -> Result<(), Broken> {
        let undone = self.cut_short(id, &mut actions);
        let process = self.processes.get_mut(&id).expect("only nodes that live act");
        let life = process.life;
        let checked = self.checker.step(&process.node, &actions, &self.disks);
        if self.trace.is_some() {
            let told = actions
                .iter()
                .filter_map(|action| tell::action(action, &process.node));
            for told in told.collect::<Vec<_>>() {
                self.tell(|| format!("{id} → {told}"));
            }
        }
        checked?;
        for action in actions {
            self.keep_told(id, &action);
            self.carry_out_one(id, life, action);
        }
        if undone.is_some() || self.holds_as_awaited(id) {
            self.spring(id, undone.unwrap_or_default());
        }
        let Some(process) = self.processes.get_mut(&id) else {
            return Ok(());
        };
        if process.exit.is_some() {
            self.checker.gone(process.node.me());
            self.processes.remove(&id);
            self.disks
                .get_mut(&id)
                .expect("a node that lived has a disk")
                .crash(usize::MAX);
            self.close_streams_of(id, life);
            return Ok(());
        }
        if self.is_in_midst(id) {
            self.crash_in_midst(id);
            return Ok(());
        }
        self.set_timer(id);
        Ok(())
    }

    pub(super) fn carry_out_one(&mut self, id: NodeId, life: u32, action: Action) {
        match action {
            Action::Multicast(bytes) => {
                self.hooks.sending(address(id, life), true, &bytes);
                let others: Vec<NodeId> = self
                    .processes
                    .keys()
                    .copied()
                    .filter(|other| *other != id)
                    .collect();
                others
                    .into_iter()
                    .for_each(|to| self.send(id, life, to, None, &bytes));
            }
            Action::Unicast(address, bytes) => {
                let [_, _, to, to_life] = address.ip().octets();
                self.hooks.sending(self::address(id, life), false, &bytes);
                self.send(id, life, NodeId(u16::from(to)), Some(u32::from(to_life)), &bytes);
            }
            Action::Store(ticket, store) => {
                self.disks
                    .get_mut(&id)
                    .expect("a node that lives has a disk")
                    .submit(ticket, store);
                let took = self.dice.random_range(100..5_000);
                let process = self.processes.get_mut(&id).expect("it lives");
                process.disk_free = process.disk_free.max(self.now).after_us(took);
                let at = process.disk_free;
                self.schedule(
                    at,
                    Coming::Synced {
                        node: id,
                        life,
                        ticket,
                    },
                );
            }
            Action::Load(load, query) => {
                let at = self.now.after_us(self.dice.random_range(100..3_000));
                self.schedule(
                    at,
                    Coming::Loaded {
                        node: id,
                        life,
                        load,
                        query,
                    },
                );
            }
            Action::Stream(stream, action) => self.stream(id, life, stream, action),
            Action::Notice(_) => {}
            Action::Exit(exit) => {
                self.tell(|| format!("{id} exits: {exit:?}"));
                self.processes.get_mut(&id).expect("it lives").exit = Some(exit);
            }
        }
    }
}
