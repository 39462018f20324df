//! Facts about the instance as a whole.

use countersign_domain::time::UnixTime;
use countersign_store::StoreError;

use crate::world::World;

on_both_databases! {
    async fn a_fact_is_set_replaced_and_removed(world: World) {
        let mut unit = world.write().await;
        assert_eq!(unit.instance_fact("f").await.unwrap(), None);
        unit.set_instance_fact("f", "one").await.unwrap();
        unit.set_instance_fact("f", "two").await.unwrap();
        unit.set_instance_fact("g", "other").await.unwrap();
        assert_eq!(unit.instance_fact("f").await.unwrap().as_deref(), Some("two"));
        unit.remove_instance_fact("f").await.unwrap();
        unit.remove_instance_fact("f").await.unwrap();
        assert_eq!(unit.instance_fact("f").await.unwrap(), None);
        assert_eq!(unit.instance_fact("g").await.unwrap().as_deref(), Some("other"));
    }

    async fn the_clock_never_sinks(world: World) {
        let mut unit = world.write().await;
        for (raise, stands) in [(100, 100), (99, 100), (100, 100), (101, 101), (-5, 101)] {
            unit.raise_clock(UnixTime::from_seconds(raise)).await.unwrap();
            let known = unit.clock_high_water().await.unwrap();
            assert_eq!(known, Some(UnixTime::from_seconds(stands)), "after {raise}");
        }
    }

    /// What cannot be read is not nothing: it would lower the clock, and used assertions would come back.
    async fn a_damaged_clock_is_not_lowered(world: World) {
        let mut unit = world.write().await;
        unit.raise_clock(UnixTime::from_seconds(100)).await.unwrap();
        unit.set_instance_fact("clock_high_water", "soon").await.unwrap();
        for refused in [
            unit.raise_clock(UnixTime::from_seconds(5)).await,
            unit.clock_high_water().await.map(drop),
        ] {
            assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
        }
        let fact = unit.instance_fact("clock_high_water").await.unwrap();
        assert_eq!(fact.as_deref(), Some("soon"));
    }
}
